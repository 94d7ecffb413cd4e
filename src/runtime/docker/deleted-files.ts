import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listKernelFolder, mapFileName, readKernelFile } from './kernel-files.ts';
import { tablePieces } from './kernel-tables.ts';

const BLOCK = 512;
/**
 * Of one container. Whole apps have some hundred open files and deleted mappings, large ones a few thousand; looking at
 * so many takes most of a second.
 */
const MOST_LOOKS = 20_000;
/**
 * Of all mappings of one container, deleted or not: some 500,000, which take about a second to look through. Apps with
 * a hundred processes have some ten thousand.
 */
const MOST_OF_MAPS = 32 * 2 ** 20;
/** One after the other they take seven times as long. */
const LOOKS_AT_ONCE = 64;

/**
 * What deleted files take that these processes hold, open or mapped, on the file systems `devices`. No walk finds them,
 * and their room is free only when nobody holds them any more. Infinity where the processes hold more than anybody can
 * look through: a file may be behind it.
 */
export async function deletedFileBytes(
  pids: readonly number[],
  devices: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<number> {
  const sizes = new Map<string, number>();
  let [looks, ofMaps] = [0, 0];
  for (const pid of pids) {
    signal.throwIfAborted();
    const thread = livingThread(pid);
    const paths = await filesIn(`/proc/${thread}/fd`);
    for await (const piece of tablePieces(`/proc/${thread}/maps`)) {
      signal.throwIfAborted();
      paths.push(...mappedFiles(piece, thread));
      if ((ofMaps += piece.length) > MOST_OF_MAPS || looks + paths.length > MOST_LOOKS) return Infinity;
    }
    if ((looks += paths.length) > MOST_LOOKS) return Infinity;
    for (let at = 0; at < paths.length; at += LOOKS_AT_ONCE) {
      signal.throwIfAborted();
      for (const file of await Promise.all(paths.slice(at, at + LOOKS_AT_ONCE).map(lookAt))) {
        if (file?.isFile() !== true || file.nlink > 0 || !devices.has(file.dev)) continue;
        sizes.set(`${file.dev}:${file.ino}`, file.blocks * BLOCK);
      }
    }
  }
  return [...sizes.values()].reduce((all, each) => all + each, 0);
}

/** Undefined: closed meanwhile. */
async function lookAt(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}

/** Of one whose first thread has ended, the others still have its memory and files; in /proc each has a folder. */
function livingThread(pid: number): string {
  const hasMemory = (thread: string): boolean => /^[1-9]/.test(readKernelFile(`/proc/${thread}/statm`));
  const first = String(pid);
  if (hasMemory(first)) return first;
  return listKernelFolder(`/proc/${first}/task`)?.find(hasMemory) ?? first;
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
}

/** Memory that is shared has the form of a deleted file of the kernel's own, by this device, and takes no disk. */
const SHARED_MEMORY = '00:01';

/** `maps`: lines of its /proc/…/maps. */
function mappedFiles(maps: string, thread: string): string[] {
  return [...maps.matchAll(/^([0-9a-f]+-[0-9a-f]+) \S+ \S+ (\S+) .* \(deleted\)$/gm)].flatMap(
    ([, range = '', device]) => (device === SHARED_MEMORY ? [] : [`/proc/${thread}/map_files/${mapFileName(range)}`]),
  );
}
