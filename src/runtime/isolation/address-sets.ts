import { findProgram, run } from './programs.ts';

/** A place that may be reached for a while. */
export interface Admission {
  readonly address: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly forSeconds: number;
}

/** For what is added without a time of its own, which nothing is. */
const TIMEOUT_S = 600;
const MOST = 65_536;

/**
 * Sets of addresses with ports that the kernel's rules ask (ipset); the kernel itself lets an entry end when its time
 * is up. What is there already stays. Throws an error.
 */
export async function ensureSets(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const lines = names.map((name) => `create ${name} hash:ip,port family inet timeout ${TIMEOUT_S} maxelem ${MOST}\n`);
  await run(ipset(), ['-exist', 'restore'], lines.join(''));
}

/** For what was there already, its time begins again. Throws an error. */
export async function admit(set: string, admissions: readonly Admission[]): Promise<void> {
  if (admissions.length === 0) return;
  await run(ipset(), ['-exist', 'restore'], admissions.map((each) => addition(set, each)).join(''));
}

/** As `admit`, and of what was there before, nothing else. Throws an error. */
export async function admitOnly(set: string, admissions: readonly Admission[]): Promise<void> {
  await run(
    ipset(),
    ['-exist', 'restore'],
    [`flush ${set}\n`, ...admissions.map((each) => addition(set, each))].join(''),
  );
}

/** Everybody's. Where the program is not there, there are none. Throws an error. */
export async function listSets(): Promise<readonly string[]> {
  const program = findProgram('ipset');
  if (program === undefined) return [];
  return (await run(program, ['list', '-name'])).split('\n').filter((name) => name !== '');
}

/** Once no rule asks them. Throws an error. */
export async function removeSets(isOurs: (name: string) => boolean): Promise<void> {
  for (const name of (await listSets()).filter(isOurs)) await run(ipset(), ['-exist', 'destroy', name]);
}

function addition(set: string, { address, port, protocol, forSeconds }: Admission): string {
  return `add ${set} ${address},${protocol}:${port} timeout ${forSeconds}\n`;
}

function ipset(): string {
  const program = findProgram('ipset');
  if (program === undefined) throw new Error('the program ipset is not installed');
  return program;
}
