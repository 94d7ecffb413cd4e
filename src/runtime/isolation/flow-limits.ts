import { createHash } from 'node:crypto';

/** Where mail is handed in: SMTP, and submission with TLS or without. */
export const MAIL_PORTS = [25, 465, 587] as const;

/**
 * Of each instance. The kernel keeps a closed TCP connection in its table for 2 minutes, which CONNECTIONS does not
 * count and NEW_PER_SECOND bounds.
 */
const FLOWS = { connections: 256, newPerSecond: 10, burst: 100 } as const;
const CLOSED_STAYS_S = 120;

/** The most entries of the host's connection table that one instance can have. */
export const FLOWS_AT_MOST = FLOWS.connections + FLOWS.burst + FLOWS.newPerSecond * CLOSED_STAYS_S;

/** How iptables names the counters, of at most 15 characters on old kernels. */
const COUNTERS_NAME = 12;

/**
 * What a new connection to the outside passes last. By its source address, which an instance cannot choose: it has no
 * raw sockets, and the kernel sends nothing from an address that is not its own.
 */
export function flowLimits(chain: string): string[] {
  const { connections, newPerSecond, burst } = FLOWS;
  const rules = [
    `-m hashlimit --hashlimit-above ${newPerSecond}/sec --hashlimit-burst ${burst} --hashlimit-mode srcip ` +
      `--hashlimit-name ${chain.slice(0, COUNTERS_NAME)}`,
    `-m connlimit --connlimit-above ${connections} --connlimit-mask 32 --connlimit-saddr`,
  ];
  const digest = createHash('sha256').update(rules.join('\n')).digest('hex').slice(0, 8);
  return rules.map((rule, index) => `${rule} -m comment --comment ${digest}/${index + 1} -j DROP`);
}

/** Questions for names, of each instance: all on a network wait in one line for the answers. */
const LOOKUPS = { perSecond: 50, burst: 100 } as const;

/** `chain`: of the flows, whose name the counters have in theirs. */
export function lookupLimit(chain: string): string {
  const { perSecond, burst } = LOOKUPS;
  return (
    `-p udp --dport 53 -m hashlimit --hashlimit-above ${perSecond}/sec --hashlimit-burst ${burst} ` +
    `--hashlimit-mode srcip --hashlimit-name ${chain.slice(0, COUNTERS_NAME)}-n -j DROP`
  );
}

const COMMENT = / --comment "?([0-9a-f]{8}\/\d+)"?(?: |$)/;

/**
 * Whether a chain has these rules, in this order, and none else. By their comments, which `iptables -S` shows as they
 * were given; how it spells the rest differs among versions.
 */
export function isAsKept(present: readonly string[], chain: string, rules: readonly string[]): boolean {
  const there = present.filter((line) => line.startsWith(`-A ${chain} `));
  return (
    present.includes(`-N ${chain}`) &&
    there.length === rules.length &&
    rules.every((rule, index) => COMMENT.exec(rule)?.[1] === COMMENT.exec(there[index] ?? '')?.[1])
  );
}
