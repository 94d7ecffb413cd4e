import { readFile, readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { mapFileName } from '../../../docker/kernel-files.ts';

/** A program or library that a process has in its memory. */
export interface MappedFile {
  readonly name: string;
  /** Where its first byte is. */
  readonly start: number;
  /** Under /proc: opens the file itself, whatever has its name by now. */
  readonly link: string;
}

const MAPPING = /^(([0-9a-f]+)-[0-9a-f]+) \S+ 00000000 \S+ [1-9]\d*\s+(\/.*)$/gm;

/** Each once; nothing of a process that has ended. */
export async function mappedFiles(pid: number): Promise<readonly MappedFile[]> {
  return mappedIn(await readFile(`/proc/${pid}/maps`, 'latin1').catch(() => ''), pid);
}

export function mappedIn(maps: string, pid: number): readonly MappedFile[] {
  const files = new Map<string, MappedFile>();
  for (const [, range = '', start = '', path = ''] of maps.matchAll(MAPPING)) {
    if (files.has(path)) continue;
    files.set(path, {
      name: basename(path.replace(/ \(deleted\)$/, '')),
      start: Number.parseInt(start, 16),
      link: `/proc/${pid}/map_files/${mapFileName(range)}`,
    });
  }
  return [...files.values()];
}

/** Of a process, each by its number; none once it has ended. */
export async function threadsOf(pid: number): Promise<readonly number[]> {
  return (await readdir(`/proc/${pid}/task`).catch(() => [])).map(Number);
}
