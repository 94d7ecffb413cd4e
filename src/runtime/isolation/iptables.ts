import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { ownNetworkOf, type InstanceNetwork, type NetworkPlan } from './network-plan.ts';
import { ensureSets, listSets, removeSets } from './address-sets.ts';
import { findProgram, run } from './programs.ts';
import { LOOPBACK, type Publishing } from './publishing.ts';
import {
  ipv4Rules,
  ipv6Rules,
  isPublishedAsMeant,
  removeInput,
  restoreInput,
  type Gateways,
  type RuleSet,
} from './rules.ts';

const IPV6_PRESENT = '/proc/sys/net/ipv6';
/** How long to wait for another program that holds the tables, in s. */
const LOCK_WAIT_S = '10';
/** The same for who only looks. */
const LOOK_WAIT_S = '2';
const REMEDY = 'run as root with iptables and ipset installed (`make setup` installs them)';

type Command = 'iptables' | 'ip6tables';

function commands(): readonly Command[] {
  return existsSync(IPV6_PRESENT) && findProgram('ip6tables') !== undefined ? ['iptables', 'ip6tables'] : ['iptables'];
}

function chains({ networks, toHost, flows, published }: NetworkPlan): string[] {
  return [...networks.map(({ chain }) => chain), toHost, flows, published];
}

async function change(command: Command, input: (present: readonly string[]) => string | undefined): Promise<void> {
  const list = findProgram(command);
  const restore = findProgram(`${command}-restore`);
  if (list === undefined || restore === undefined) throw new Error(`the program ${command} is not installed`);
  const present = (await run(list, ['-w', LOCK_WAIT_S, '-t', 'mangle', '-S'])).split('\n');
  const text = input(present);
  if (text !== undefined) await run(restore, ['-w', LOCK_WAIT_S, '--noflush'], text);
}

/**
 * Frames between two members of one bridge pass the rules only while the kernel's bridge filter is on; Docker and
 * Kubernetes switch it on in the same way.
 */
async function ensureBridgeFilter(): Promise<void> {
  for (const name of ['bridge-nf-call-iptables', 'bridge-nf-call-ip6tables']) {
    const file = `/proc/sys/net/bridge/${name}`;
    if (!existsSync(file)) await run(findProgram('modprobe') ?? 'modprobe', ['br_netfilter']);
    if ((await readFile(file, 'utf8')).trim() !== '1') await writeFile(file, '1');
  }
}

/**
 * Makes the rules so, whatever was there; of networks that are not in the plan, they stay as they are. Throws
 * isolation_failed; then no instance may be started.
 */
export async function ensureRules(
  plan: NetworkPlan,
  resolvers: readonly string[],
  gateways: Gateways = new Map(),
  publishing: Publishing = LOOPBACK,
): Promise<void> {
  try {
    await ensureBridgeFilter();
    await ensureSets(plan.networks.flatMap(({ allowed }) => allowed ?? []));
    const rules: Readonly<Record<Command, RuleSet>> = {
      iptables: ipv4Rules(plan, resolvers, gateways, publishing),
      ip6tables: ipv6Rules(plan),
    };
    for (const command of commands()) await change(command, (present) => restoreInput(rules[command], present));
  } catch (error) {
    throw new TryItNowError(
      'isolation_failed',
      `The rules that keep instances apart could not be set: ${describeError(error)}. To fix it, ${REMEDY}.`,
      { cause: error },
    );
  }
}

/** Removes all rules and sets of this deployment; none is fine. Only when no container is left on its networks. */
export async function removeRules({ prefix }: NetworkPlan): Promise<void> {
  await remove((name) => name.startsWith(prefix));
}

/** Those of one network, which is gone. */
export async function removeNetworkRules({ chain, bridge }: InstanceNetwork): Promise<void> {
  await remove((name) => name === chain, bridge);
}

/** The names of the networks of templates that there are rules or sets for, also where they are gone. */
export async function networksWithRules(plan: NetworkPlan): Promise<readonly string[]> {
  if (findProgram('iptables') === undefined) return [];
  const present: string[] = [];
  for (const command of commands())
    present.push(
      ...(await run(findProgram(command) ?? command, ['-w', LOCK_WAIT_S, '-t', 'mangle', '-S'])).split('\n'),
    );
  const chains = present.flatMap((line) => (line.startsWith('-N ') ? [line.slice(3)] : []));
  return [...new Set([...chains, ...(await listSets())].flatMap((name) => ownNetworkOf(plan, name) ?? []))];
}

async function remove(isOurs: (name: string) => boolean, bridge?: string): Promise<void> {
  try {
    for (const command of commands()) await change(command, (present) => removeInput(isOurs, present, bridge));
    await removeSets(isOurs);
  } catch (error) {
    throw new TryItNowError(
      'isolation_failed',
      `The rules that keep instances apart could not be removed: ${describeError(error)}. To fix it, ${REMEDY}.`,
      { cause: error },
    );
  }
}

export type IsolationState =
  | {
      readonly possible: true;
      readonly inPlace: boolean;
      /** Whether the published ports are open to those alone for whom they are meant. */
      readonly publishedAsMeant: boolean;
    }
  | { readonly possible: false; readonly why: string };

/** Looks only: whether this process could set the rules, and whether their chains are there. */
export async function isolationState(plan: NetworkPlan, publishing: Publishing): Promise<IsolationState> {
  try {
    const program = findProgram('iptables');
    if (program === undefined || findProgram('iptables-restore') === undefined)
      return { possible: false, why: 'the program iptables is not installed' };
    if (plan.networks.some(({ allowed }) => allowed !== undefined) && findProgram('ipset') === undefined)
      return { possible: false, why: 'the program ipset is not installed, and a template has egress.allow' };
    const present = (await run(program, ['-w', LOOK_WAIT_S, '-t', 'mangle', '-S'])).split('\n');
    return {
      possible: true,
      inPlace: chains(plan).every((chain) => present.includes(`-N ${chain}`)),
      publishedAsMeant: isPublishedAsMeant(plan, publishing, present),
    };
  } catch (error) {
    return { possible: false, why: `the rules that keep instances apart cannot be read: ${describeError(error)}` };
  }
}
