import { flowLimits, isAsKept, lookupLimit, MAIL_PORTS } from './flow-limits.ts';
import { OWN_BRIDGE, type InstanceNetwork, type NetworkPlan } from './network-plan.ts';
import { NEVER_OUTSIDE } from './public-addresses.ts';
import { LOOPBACK, admitted, throughPublished, toPublished, type Publishing } from './publishing.ts';

/** Answers to what the host itself asked, and the ICMP errors that belong to them. */
const ANSWERS = ['-m conntrack --ctstate ESTABLISHED -j RETURN', '-p icmp -m conntrack --ctstate RELATED -j RETURN'];

interface Hook {
  readonly parent: 'FORWARD' | 'INPUT' | 'PREROUTING';
  readonly match: string;
  readonly chain: string;
}

/** By bridge: the host's address on that network, as far as it is known. */
export type Gateways = ReadonlyMap<string, string>;

export interface RuleSet {
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Written only where they are not so already, since the kernel counts anew with every rule that is made. */
  readonly kept: ReadonlyMap<string, readonly string[]>;
  readonly hooks: readonly Hook[];
  /** What stays in a chain that is written, before its last rule: of networks that are not in the plan. */
  readonly carried: readonly { readonly chain: string; readonly is: (line: string) => boolean }[];
}

/**
 * The rules stand in the mangle table, which every packet passes before the filter table: Docker, netavark and
 * firewalls rearrange the filter table at will and accept there what we forbid, but a packet dropped here never gets
 * that far. It also holds when iptables-nft and iptables-legacy are both in use, since a drop in either is final. Every
 * hook names one of our bridges or the published ports, so no other traffic even enters our chains.
 */
export function ipv4Rules(
  plan: NetworkPlan,
  resolvers: readonly string[],
  gateways: Gateways = new Map(),
  publishing: Publishing = LOOPBACK,
): RuleSet {
  const published = toPublished(publishing);
  return {
    chains: new Map([
      ...plan.networks.map((network) => [network.chain, forward(network, plan, { resolvers, publishing })] as const),
      // First of all: what one socket asks after its first answer belongs to a connection that is established.
      [plan.toHost, [lookupLimit(plan.flows), ...ANSWERS, ...lookups(plan, gateways), '-j DROP']],
      [plan.published, admitted(publishing)],
    ]),
    kept: new Map([[plan.flows, flowLimits(plan.flows)]]),
    hooks: [
      ...hooks(plan),
      ...(published === undefined ? [] : [{ parent: 'PREROUTING' as const, match: published, chain: plan.published }]),
    ],
    carried: [{ chain: plan.toHost, is: (line) => isLookupOfOther(plan, line) }],
  };
}

function forward(
  network: InstanceNetwork,
  plan: NetworkPlan,
  { resolvers, publishing }: { readonly resolvers: readonly string[]; readonly publishing: Publishing },
): string[] {
  const { bridge, egress } = network;
  return [
    `-i ${bridge} -o ${bridge} -j DROP`,
    ...ANSWERS,
    ...throughPublished(publishing, bridge),
    // Beside them, only the host's own processes open connections to an instance; what is routed in from elsewhere
    // does not.
    `-o ${bridge} -j DROP`,
    ...(egress === undefined ? [] : outside(network, egress.mail, plan.flows, resolvers)),
    '-j DROP',
  ];
}

/** Who may pass goes on to where new connections are counted; who may not is not counted. */
function outside({ allowed }: InstanceNetwork, mail: boolean, flows: string, resolvers: readonly string[]): string[] {
  const never = NEVER_OUTSIDE.map((range) => `-d ${range} -j DROP`);
  const invalid = '-m conntrack --ctstate INVALID -j DROP';
  if (allowed !== undefined) return [invalid, ...never, `-m set --match-set ${allowed} dst,dst -g ${flows}`];
  return [
    invalid,
    ...resolvers.flatMap((address) =>
      ['udp', 'tcp'].map((protocol) => `-d ${address} -p ${protocol} --dport 53 -g ${flows}`),
    ),
    ...never,
    ...(mail ? [] : [`-p tcp -m multiport --dports ${MAIL_PORTS.join(',')} -j DROP`]),
    ...['tcp', 'udp', 'icmp'].map((protocol) => `-p ${protocol} -g ${flows}`),
  ];
}

/** Where names decide what may be reached, the host answers for them; at no other of its addresses. */
function lookups({ networks, flows }: NetworkPlan, gateways: Gateways): string[] {
  return networks.flatMap(({ bridge, allowed }) => {
    const gateway = allowed === undefined ? undefined : gateways.get(bridge);
    return gateway === undefined ? [] : [`-i ${bridge} -d ${gateway} -p udp --dport 53 -g ${flows}`];
  });
}

/**
 * Of the network of a template that whoever sets the rules does not know, or no more: what visitors have there still
 * looks up names. It goes with the network.
 */
function isLookupOfOther({ networks, toHost }: NetworkPlan, line: string): boolean {
  const bridge = new RegExp(`^-A ${toHost} (?:-d \\S+ )?-i (${OWN_BRIDGE}) `).exec(line)?.[1];
  return bridge !== undefined && networks.every((network) => network.bridge !== bridge);
}

/** Instances have no IPv6 (it is switched off inside them); should one get it back, it leads nowhere. */
export function ipv6Rules(plan: NetworkPlan): RuleSet {
  const chains = [...plan.networks.map(({ chain }) => chain), plan.toHost];
  return {
    chains: new Map(chains.map((chain) => [chain, ['-j DROP']])),
    kept: new Map(),
    hooks: hooks(plan),
    carried: [],
  };
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
  const missing = rules.hooks.filter((hook) => !present.includes(added(hook)));
  const wanted = new Set(rules.hooks.map(added));
  // A hook that names other ports or another address than those of today.
  const outdated = present.filter(
    (line) => line.startsWith('-A PREROUTING ') && [...rules.chains.keys()].includes(target(line)) && !wanted.has(line),
  );
  const written = [...[...rules.kept].filter(([chain, lines]) => !isAsKept(present, chain, lines)), ...rules.chains];
  const whole = (chain: string, lines: readonly string[]): readonly string[] => {
    const is = rules.carried.find((each) => each.chain === chain)?.is;
    const carried = is === undefined ? [] : present.filter(is).map((line) => line.slice(`-A ${chain} `.length));
    return [...lines.slice(0, -1), ...carried, ...lines.slice(-1)];
  };
  return [
    '*mangle',
    // Naming a chain creates it, or empties the one there is; nothing is ever seen half filled.
    ...written.map(([chain]) => `:${chain} - [0:0]`),
    ...written.flatMap(([chain, lines]) => whole(chain, lines).map((line) => `-A ${chain} ${line}`)),
    ...outdated.map((line) => line.replace(/^-A/, '-D')),
    ...missing.map((hook) => `-I ${hook.parent} 1 ${hook.match} -j ${hook.chain}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** As `-S` prints it. */
function added({ parent, match, chain }: Hook): string {
  return `-A ${parent} ${match} -j ${chain}`;
}

function target(line: string): string {
  return /-j (\S+)$/.exec(line)?.[1] ?? '';
}

/** Whether the published ports are open to those alone for whom they are meant. `present` is the output of `-S`. */
export function isPublishedAsMeant(
  { published }: NetworkPlan,
  publishing: Publishing,
  present: readonly string[],
): boolean {
  const match = toPublished(publishing);
  const hooked = match === undefined || present.includes(added({ parent: 'PREROUTING', match, chain: published }));
  const lines = present.filter((line) => line.startsWith(`-A ${published} `));
  return (
    hooked &&
    lines.join('\n') ===
      admitted(publishing)
        .map((line) => `-A ${published} ${line}`)
        .join('\n')
  );
}

/**
 * The input that removes these chains and what leads to them, as far as they are there, and what else names the bridge;
 * undefined when nothing is.
 */
export function removeInput(
  isOurs: (chain: string) => boolean,
  present: readonly string[],
  bridge?: string,
): string | undefined {
  const names = present.flatMap((line) => (line.startsWith('-N ') && isOurs(line.slice(3)) ? [line.slice(3)] : []));
  const isOf = (line: string): boolean =>
    names.some((name) => line.endsWith(` -j ${name}`)) ||
    (bridge !== undefined && new RegExp(` -[io] ${bridge}( |$)`).test(line));
  const others = present.filter(
    (line) => line.startsWith('-A ') && !names.some((name) => line.startsWith(`-A ${name} `)) && isOf(line),
  );
  if (names.length === 0 && others.length === 0) return undefined;
  return [
    '*mangle',
    ...others.map((line) => line.replace(/^-A/, '-D')),
    ...names.map((name) => `-F ${name}`),
    ...names.map((name) => `-X ${name}`),
    'COMMIT',
    '',
  ].join('\n');
}
