import { flowLimits, isAsKept, MAIL_PORTS } from './flow-limits.ts';
import type { InstanceNetwork, NetworkPlan } from './network-plan.ts';

/**
 * Where egress never leads: this network, private and shared address space, loopback, link-local (cloud metadata
 * services live at 169.254.169.254), benchmarking, multicast and reserved. From the IANA special-purpose registry; the
 * documentation ranges are left out, they lead nowhere or into somebody's laboratory.
 */
const NEVER_OUTSIDE = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** Answers to what the host itself asked, and the ICMP errors that belong to them. */
const ANSWERS = ['-m conntrack --ctstate ESTABLISHED -j RETURN', '-p icmp -m conntrack --ctstate RELATED -j RETURN'];

interface Hook {
  readonly parent: 'FORWARD' | 'INPUT';
  readonly match: string;
  readonly chain: string;
}

export interface RuleSet {
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Written only where they are not so already, since the kernel counts anew with every rule that is made. */
  readonly kept: ReadonlyMap<string, readonly string[]>;
  readonly hooks: readonly Hook[];
}

/**
 * The rules stand in the mangle table, which every packet passes before the filter table: Docker, netavark and
 * firewalls rearrange the filter table at will and accept there what we forbid, but a packet dropped here never gets
 * that far. It also holds when iptables-nft and iptables-legacy are both in use, since a drop in either is final. Every
 * hook names one of our bridges, so no other interface's traffic even enters our chains.
 */
export function ipv4Rules(plan: NetworkPlan, resolvers: readonly string[]): RuleSet {
  return {
    chains: new Map([
      ...plan.networks.map((network) => [network.chain, forward(network, plan, resolvers)] as const),
      [plan.toHost, [...ANSWERS, '-j DROP']],
    ]),
    kept: new Map([[plan.flows, flowLimits(plan.flows)]]),
    hooks: hooks(plan),
  };
}

function forward({ bridge, egress }: InstanceNetwork, plan: NetworkPlan, resolvers: readonly string[]): string[] {
  return [
    `-i ${bridge} -o ${bridge} -j DROP`,
    ...ANSWERS,
    // Only the host's own processes open connections to an instance; what is routed in from elsewhere does not.
    `-o ${bridge} -j DROP`,
    ...(egress === undefined ? [] : outside(egress.mail, plan.flows, resolvers)),
    '-j DROP',
  ];
}

/** Who may pass goes on to where new connections are counted; who may not is not counted. */
function outside(mail: boolean, flows: string, resolvers: readonly string[]): string[] {
  return [
    '-m conntrack --ctstate INVALID -j DROP',
    ...resolvers.flatMap((address) =>
      ['udp', 'tcp'].map((protocol) => `-d ${address} -p ${protocol} --dport 53 -g ${flows}`),
    ),
    ...NEVER_OUTSIDE.map((range) => `-d ${range} -j DROP`),
    ...(mail ? [] : [`-p tcp -m multiport --dports ${MAIL_PORTS.join(',')} -j DROP`]),
    ...['tcp', 'udp', 'icmp'].map((protocol) => `-p ${protocol} -g ${flows}`),
  ];
}

/** Instances have no IPv6 (it is switched off inside them); should one get it back, it leads nowhere. */
export function ipv6Rules(plan: NetworkPlan): RuleSet {
  const chains = [...plan.networks.map(({ chain }) => chain), plan.toHost];
  return { chains: new Map(chains.map((chain) => [chain, ['-j DROP']])), kept: new Map(), hooks: hooks(plan) };
}

function hooks({ networks, toHost }: NetworkPlan): Hook[] {
  return networks.flatMap(({ bridge, chain }) => [
    { parent: 'FORWARD' as const, match: `-i ${bridge}`, chain },
    { parent: 'FORWARD' as const, match: `-o ${bridge}`, chain },
    { parent: 'INPUT' as const, match: `-i ${bridge}`, chain: toHost },
  ]);
}

/**
 * The input of `iptables-restore --noflush` that makes the rules so, in one atomic step. `present` is the output of
 * `-S`.
 */
export function restoreInput(rules: RuleSet, present: readonly string[]): string {
  const missing = rules.hooks.filter((hook) => !present.includes(`-A ${hook.parent} ${hook.match} -j ${hook.chain}`));
  const written = [...[...rules.kept].filter(([chain, lines]) => !isAsKept(present, chain, lines)), ...rules.chains];
  return [
    '*mangle',
    // Naming a chain creates it, or empties the one there is; nothing is ever seen half filled.
    ...written.map(([chain]) => `:${chain} - [0:0]`),
    ...written.flatMap(([chain, lines]) => lines.map((line) => `-A ${chain} ${line}`)),
    ...missing.map((hook) => `-I ${hook.parent} 1 ${hook.match} -j ${hook.chain}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** The input that removes what is present of the rules; undefined when nothing is. */
export function removeInput(rules: RuleSet, present: readonly string[]): string | undefined {
  const names = [...rules.chains.keys(), ...rules.kept.keys()].filter((chain) => present.includes(`-N ${chain}`));
  if (names.length === 0) return undefined;
  const jumps = present.filter((line) => line.startsWith('-A ') && names.some((name) => line.endsWith(` -j ${name}`)));
  return [
    '*mangle',
    ...jumps.map((line) => line.replace(/^-A/, '-D')),
    ...names.map((name) => `-F ${name}`),
    ...names.map((name) => `-X ${name}`),
    'COMMIT',
    '',
  ].join('\n');
}
