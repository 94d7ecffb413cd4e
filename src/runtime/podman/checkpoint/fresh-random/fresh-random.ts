import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { processesWith } from '../container-processes.ts';
import { FOR_ANYTHING, FOR_EVENTS_ALONE, functionsOf, hex, makeCalls, whyNoCalls } from './calls.ts';
import { threadsOf } from './mapped-files.ts';

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
const LIBRARIES = /^lib(crypto|node)\b.*\.so/;
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
  return process.arch === 'x64' && nodeCalls(await namedFunctions(pid)) !== undefined;
}

/** Why nothing can be made fresh on this host, in words; undefined where it can. */
export async function whyNotFresh(): Promise<string | undefined> {
  if (process.arch !== 'x64')
    return `functions of a process can be called from outside on x86-64 only, not on ${process.arch}`;
  const scope = await readFile('/proc/sys/kernel/yama/ptrace_scope', 'utf8').catch(() => '');
  if (scope.trim() === NO_PTRACE) return 'the kernel lets nobody trace processes (kernel.yama.ptrace_scope is 3)';
  return whyNoCalls();
}

async function callsFor(pid: number): Promise<readonly string[]> {
  const functions = await namedFunctions(pid);
  const openssl = functions.get(OPENSSL);
  const node = nodeCalls(functions);
  const calls: string[] = [];
  if (openssl !== undefined) calls.push(`thread ${pid} ${FOR_ANYTHING}`, `call ${hex(openssl)}`);
  if (node === undefined) return calls;
  // Workers have an isolate of their own each, and wait for events too; other threads have none.
  for (const thread of await threadsOf(pid)) calls.push(`thread ${thread} ${FOR_EVENTS_ALONE}`, ...node());
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

async function namedFunctions(pid: number): Promise<ReadonlyMap<string, number>> {
  return functionsOf(pid, [OPENSSL, ...Object.values(V8)], LIBRARIES);
}
