import { readFile, readdir } from 'node:fs/promises';
import { basename } from 'node:path';

/** A program or library that a process has in its memory. */
export interface MappedFile {
  readonly name: string;
  /** Where its first byte is. */
  readonly start: number;
  /** Under /proc: opens the file itself, whatever has its name by now. */
  readonly link: string;
}

const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) \S+ 00000000 \S+ [1-9]\d*\s+(\/.*)$/gm;

/** Each once; nothing of a process that has ended. */
export async function mappedFiles(pid: number): Promise<readonly MappedFile[]> {
  return mappedIn(await readFile(`/proc/${pid}/maps`, 'latin1').catch(() => ''), pid);
}

export function mappedIn(maps: string, pid: number): readonly MappedFile[] {
  const files = new Map<string, MappedFile>();
  for (const [, start = '', end = '', path = ''] of maps.matchAll(MAPPING)) {
    if (files.has(path)) continue;
    const [first, last] = [start, end].map((address) => Number.parseInt(address, 16));
    files.set(path, {
      name: basename(path.replace(/ \(deleted\)$/, '')),
      start: first ?? 0,
      // The same addresses, but without zeros before them.
      link: `/proc/${pid}/map_files/${(first ?? 0).toString(16)}-${(last ?? 0).toString(16)}`,
    });
  }
  return [...files.values()];
}

/** Of a process, each by its number; none once it has ended. */
export async function threadsOf(pid: number): Promise<readonly number[]> {
  return (await readdir(`/proc/${pid}/task`).catch(() => [])).map(Number);
}
