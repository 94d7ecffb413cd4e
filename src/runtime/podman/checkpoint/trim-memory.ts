import { processesWith } from './container-processes.ts';
import { FOR_EVENTS_ALONE, functionsOf, hex, makeCalls } from './fresh-random/calls.ts';

/** V8's functions as its C++ compiler names them; the same from Node 16 on at least. */
const ISOLATE = '_ZN2v87Isolate10GetCurrentEv';
const COLLECT = '_ZN2v87Isolate21LowMemoryNotificationEv';
const TRIM = 'malloc_trim';
const LIBRARIES = /^lib(node|c)\b.*\.so/;
/** What the first leaves to finalizers, the second takes. */
const COLLECTIONS = 2;

/**
 * Has each process of the container give memory back that it no longer uses: Node its garbage, and whatever has a
 * heap of glibc's what is free in it. What is dumped is restored in every clone, so it costs time and memory in each.
 * One that does not rest is left as it is. Throws the error of the program that makes the calls.
 */
export async function trimMemory(pid: number): Promise<void> {
  // The calls are made by the rules of x86-64 alone.
  if (process.arch !== 'x64') return;
  for (const { pid: each } of await processesWith(pid)) {
    const calls = await callsFor(each);
    if (calls.length > 0) await makeCalls([`thread ${each} ${FOR_EVENTS_ALONE}`, ...calls].join('\n'));
  }
}

async function callsFor(pid: number): Promise<readonly string[]> {
  const functions = await functionsOf(pid, [ISOLATE, COLLECT, TRIM], LIBRARIES);
  const [isolate, collect, trim] = [ISOLATE, COLLECT, TRIM].map((name) => functions.get(name));
  const trimming = trim === undefined ? [] : [`call ${hex(trim)} i:0`];
  if (isolate === undefined || collect === undefined) return trimming;
  // The rest is left out where the thread has no isolate; trimming first is of no use before the garbage is gone.
  const collecting = Array.from({ length: COLLECTIONS }, () => `call ${hex(collect)} r:1`);
  return [`call? ${hex(isolate)}`, ...collecting, ...trimming];
}
