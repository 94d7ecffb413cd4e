import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describeError } from '../../../../domain/errors.ts';
import { processesWith } from '../container-processes.ts';
import { exportedFunctions } from './elf-symbols.ts';
import { mappedFiles, threadsOf, type MappedFile } from './mapped-files.ts';

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

/** Has OpenSSL take new random bytes of the kernel, in all threads: each asks whether its source has. */
const OPENSSL = 'RAND_poll';
/** V8's functions as its C++ compiler names them; the same from Node 16 on at least. */
const V8 = {
  isolate: '_ZN2v87Isolate10GetCurrentEv',
  openScope: '_ZN2v811HandleScopeC1EPNS_7IsolateE',
  context: '_ZN2v87Isolate17GetCurrentContextEv',
  string: '_ZN2v86String11NewFromUtf8EPNS_7IsolateEPKcNS_13NewStringTypeEi',
  compile: '_ZN2v86Script7CompileENS_5LocalINS_7ContextEEENS1_INS_6StringEEEPNS_12ScriptOriginE',
  run: '_ZN2v86Script3RunENS_5LocalINS_7ContextEEE',
  closeScope: '_ZN2v811HandleScopeD1Ev',
} as const;

/** Of the kernel's setting: not even root. */
const NO_PTRACE = '3';
const CALL_FUNCTIONS = fileURLToPath(new URL('call-functions.pl', import.meta.url));
const refreshNode = readFileSync(new URL('refresh-node.js', import.meta.url), 'utf8').replace(/^ *\/[/*].*\n/gm, '');

/**
 * Has every process of the container draw from new random numbers what it would otherwise draw as all other clones of
 * its checkpoint do, where that can be had from outside: OpenSSL, and in Node all but that. Throws an error when a
 * process cannot be brought to it; the container is of no use then.
 */
export async function freshRandom(pid: number): Promise<void> {
  // The calls are made by the rules of x86-64 alone.
  if (process.arch !== 'x64') return;
  const processes = await processesWith(pid);
  const lines = await Promise.all(processes.map(({ pid: each }) => callsFor(each)));
  if (lines.flat().length > 0) await makeCalls(lines.flat().join('\n'));
}

/** Whether that can be had for the Node in this process: V8's functions are where they are looked for. */
export async function refreshesNode(pid: number): Promise<boolean> {
  return process.arch === 'x64' && nodeCalls(await functionsOf(pid)) !== undefined;
}

/** Why nothing can be made fresh on this host, in words; undefined where it can. */
export async function whyNotFresh(): Promise<string | undefined> {
  if (process.arch !== 'x64')
    return `functions of a process can be called from outside on x86-64 only, not on ${process.arch}`;
  const scope = await readFile('/proc/sys/kernel/yama/ptrace_scope', 'utf8').catch(() => '');
  if (scope.trim() === NO_PTRACE) return 'the kernel lets nobody trace processes (kernel.yama.ptrace_scope is 3)';
  const perl = spawn('perl', ['-c', CALL_FUNCTIONS], { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    const [said, code] = await ended(perl);
    return code === 0 ? undefined : `perl cannot run the program for it: ${said.trim()}`;
  } catch (error) {
    return `perl cannot be run: ${describeError(error)}`;
  }
}

async function callsFor(pid: number): Promise<readonly string[]> {
  const functions = await functionsOf(pid);
  const openssl = functions.get(OPENSSL);
  const node = nodeCalls(functions);
  const calls: string[] = [];
  if (openssl !== undefined)
    calls.push(`thread ${pid} ${numbers(FOR_EVENTS)} ${numbers(FOR_ONE_THING)}`, `call ${hex(openssl)}`);
  if (node === undefined) return calls;
  // Workers have an isolate of their own each, and wait for events too; other threads have none.
  for (const thread of await threadsOf(pid))
    calls.push(`thread ${thread} ${numbers(FOR_EVENTS)} / ${numbers(FOR_ONE_THING)}`, ...node());
  return calls;
}

/** The script runs as a callback would: the thread waits for events, outside of all JavaScript. */
function nodeCalls(functions: ReadonlyMap<string, number>): (() => readonly string[]) | undefined {
  const at = Object.fromEntries(Object.entries(V8).map(([key, name]) => [key, functions.get(name)])) as Record<
    keyof typeof V8,
    number | undefined
  >;
  const { isolate, openScope, context, string, compile, run, closeScope } = at;
  if (isolate === undefined || openScope === undefined || context === undefined || string === undefined)
    return undefined;
  if (compile === undefined || run === undefined || closeScope === undefined) return undefined;
  return () => [
    `call? ${hex(isolate)}`,
    `call ${hex(openScope)} b:0 r:1`,
    `call? ${hex(context)} r:1`,
    `call? ${hex(string)} r:1 t:${Buffer.from(seeded(refreshNode)).toString('hex')} i:0 i:-1`,
    `call? ${hex(compile)} r:3 r:4 i:0`,
    `call ${hex(run)} r:5 r:3`,
    `call ${hex(closeScope)} b:0`,
  ];
}

function seeded(script: string): string {
  const words = randomBytes(16);
  return script.replace('SEED', `[${[0, 4, 8, 12].map((at) => words.readInt32LE(at)).join(', ')}]`);
}

async function functionsOf(pid: number): Promise<ReadonlyMap<string, number>> {
  const wanted = [OPENSSL, ...Object.values(V8)];
  const files = await mappedFiles(pid);
  // The first is the program: some have libraries in themselves.
  const looked = files.filter(({ name }, index) => index === 0 || /^lib(crypto|node)\b.*\.so/.test(name));
  const found = await Promise.all(looked.map((file) => functionsIn(file, wanted)));
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

/** Perl is in every Debian, and can speak to the kernel without a compiler. */
async function makeCalls(lines: string): Promise<void> {
  const perl = spawn('perl', [CALL_FUNCTIONS], { stdio: ['pipe', 'ignore', 'pipe'] });
  // What it says when it ends early is the reason, not that it reads no more.
  perl.stdin.on('error', () => undefined);
  perl.stdin.end(`${lines}\n`);
  const [said, code] = await ended(perl);
  if (code !== 0) throw new Error(said.trim() === '' ? `perl ended with ${code}` : said.trim());
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

function hex(address: number): string {
  return address.toString(16);
}
