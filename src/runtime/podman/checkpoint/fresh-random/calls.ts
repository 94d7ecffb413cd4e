import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describeError } from '../../../../domain/errors.ts';
import { exportedFunctions } from './elf-symbols.ts';
import { mappedFiles, type MappedFile } from './mapped-files.ts';

/** System calls of x86-64, as the kernel numbers them: in these a thread waits for what comes from outside. */
const FOR_EVENTS = { epoll_wait: 232, epoll_pwait: 281, epoll_pwait2: 441 };
const FOR_ONE_THING = {
  read: 0,
  poll: 7,
  select: 23,
  pause: 34,
  nanosleep: 35,
  accept: 43,
  recvfrom: 45,
  recvmsg: 47,
  wait4: 61,
  semop: 65,
  fcntl: 72,
  flock: 73,
  rt_sigtimedwait: 128,
  rt_sigsuspend: 130,
  futex: 202,
  semtimedop: 220,
  clock_nanosleep: 230,
  waitid: 247,
  pselect6: 270,
  ppoll: 271,
  accept4: 288,
};

const CALL_FUNCTIONS = fileURLToPath(new URL('call-functions.pl', import.meta.url));

/** As the program reads them: calls in which a thread is at rest for as long as nothing comes from outside. */
export const FOR_EVENTS_ALONE = `${numbers(FOR_EVENTS)} / ${numbers(FOR_ONE_THING)}`;
export const FOR_ANYTHING = `${numbers(FOR_EVENTS)} ${numbers(FOR_ONE_THING)}`;

/** Where functions are in a process: in its program, which may have libraries in itself, and in these libraries. */
export async function functionsOf(
  pid: number,
  names: readonly string[],
  libraries: RegExp,
): Promise<ReadonlyMap<string, number>> {
  const looked = (await mappedFiles(pid)).filter(({ name }, index) => index === 0 || libraries.test(name));
  const found = await Promise.all(looked.map((file) => functionsIn(file, names)));
  return new Map(found.flat());
}

async function functionsIn({ link, start }: MappedFile, names: readonly string[]): Promise<[string, number][]> {
  const functions = await exportedFunctions(link, names).catch((error: unknown) => {
    // It ended meanwhile.
    if (!existsSync(dirname(dirname(link)))) return new Map<string, number>();
    throw error;
  });
  return [...functions].map(([name, offset]) => [name, start + offset]);
}

/**
 * Makes these calls, one a line. Perl is in every Debian, and can speak to the kernel without a compiler. Throws an
 * error with its words.
 */
export async function makeCalls(lines: string): Promise<void> {
  const perl = spawn('perl', [CALL_FUNCTIONS], { stdio: ['pipe', 'ignore', 'pipe'] });
  // What it says when it ends early is the reason, not that it reads no more.
  perl.stdin.on('error', () => undefined);
  perl.stdin.end(`${lines}\n`);
  const [said, code] = await ended(perl);
  if (code !== 0) throw new Error(said.trim() === '' ? `perl ended with ${code}` : said.trim());
}

/** Why that cannot be done here, in words. */
export async function whyNoCalls(): Promise<string | undefined> {
  try {
    const [said, code] = await ended(spawn('perl', ['-c', CALL_FUNCTIONS], { stdio: ['ignore', 'ignore', 'pipe'] }));
    return code === 0 ? undefined : `perl cannot run the program for it: ${said.trim()}`;
  } catch (error) {
    return `perl cannot be run: ${describeError(error)}`;
  }
}

/** What it said last, and its exit code. */
function ended(perl: ChildProcessByStdio<Writable | null, null, Readable>): Promise<[string, number | null]> {
  return Promise.all([
    text(perl.stderr),
    new Promise<number | null>((resolve, reject) => perl.once('error', reject).once('close', resolve)),
  ]);
}

function numbers(calls: Readonly<Record<string, number>>): string {
  return Object.values(calls).join(' ');
}

export function hex(address: number): string {
  return address.toString(16);
}
