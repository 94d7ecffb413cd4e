import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import type { NetworkPlan } from './network-plan.ts';
import { ipv4Rules, ipv6Rules, removeInput, restoreInput, type RuleSet } from './rules.ts';

/** A user's PATH often lacks the sbin folders. */
const PROGRAM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin', '/bin'];
const IPV6_PRESENT = '/proc/sys/net/ipv6';
/** How long to wait for another program that holds the tables, in s. */
const LOCK_WAIT_S = '10';
/** The same for who only looks. */
const LOOK_WAIT_S = '2';
const REMEDY = 'run as root with iptables installed (`make setup` installs it)';

export function findProgram(name: string): string | undefined {
  return PROGRAM_FOLDERS.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}

async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    child.stdin.on('error', () => undefined).end(input);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ${args.join(' ')} ended with code ${code ?? 'none'}: ${errors.trim()}`));
    });
  });
}

interface Family {
  readonly command: 'iptables' | 'ip6tables';
  readonly rules: RuleSet;
}

function families(plan: NetworkPlan, resolvers: readonly string[]): Family[] {
  const ipv4: Family = { command: 'iptables', rules: ipv4Rules(plan, resolvers) };
  const ipv6: Family = { command: 'ip6tables', rules: ipv6Rules(plan) };
  return existsSync(IPV6_PRESENT) && findProgram(ipv6.command) !== undefined ? [ipv4, ipv6] : [ipv4];
}

function chains({ networks, toHost, flows }: NetworkPlan): string[] {
  return [...networks.map(({ chain }) => chain), toHost, flows];
}

async function change(
  command: Family['command'],
  input: (present: readonly string[]) => string | undefined,
): Promise<void> {
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

/** Makes the rules so, whatever was there. Throws isolation_failed; then no instance may be started. */
export async function ensureRules(plan: NetworkPlan, resolvers: readonly string[]): Promise<void> {
  try {
    await ensureBridgeFilter();
    for (const { command, rules } of families(plan, resolvers))
      await change(command, (present) => restoreInput(rules, present));
  } catch (error) {
    throw new TryItNowError(
      'isolation_failed',
      `The rules that keep instances apart could not be set: ${describeError(error)}. To fix it, ${REMEDY}.`,
      { cause: error },
    );
  }
}

/** Removes the rules; none there is fine. Only when no container is left on the networks. */
export async function removeRules(plan: NetworkPlan): Promise<void> {
  try {
    for (const { command, rules } of families(plan, []))
      await change(command, (present) => removeInput(rules, present));
  } catch (error) {
    throw new TryItNowError(
      'isolation_failed',
      `The rules that keep instances apart could not be removed: ${describeError(error)}. To fix it, ${REMEDY}.`,
      { cause: error },
    );
  }
}

export type IsolationState =
  { readonly possible: true; readonly inPlace: boolean } | { readonly possible: false; readonly why: string };

/** Looks only: whether this process could set the rules, and whether their chains are there. */
export async function isolationState(plan: NetworkPlan): Promise<IsolationState> {
  try {
    const program = findProgram('iptables');
    if (program === undefined || findProgram('iptables-restore') === undefined)
      return { possible: false, why: 'the program iptables is not installed' };
    const present = (await run(program, ['-w', LOOK_WAIT_S, '-t', 'mangle', '-S'])).split('\n');
    return { possible: true, inPlace: chains(plan).every((chain) => present.includes(`-N ${chain}`)) };
  } catch (error) {
    return { possible: false, why: `the rules that keep instances apart cannot be read: ${describeError(error)}` };
  }
}
