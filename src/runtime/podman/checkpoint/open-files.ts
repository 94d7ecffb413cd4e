import { open, readFile, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapFileName } from '../../docker/kernel-files.ts';
import type { ContainerProcess } from './container-processes.ts';

/** A regular file that a process holds open, or has in its memory. */
export interface OpenFile {
  /** Its name inside the container, without the kernel's mark for a deleted one. */
  readonly path: string;
  readonly process: ContainerProcess;
  /** Nothing in the file system leads to it by this name any more. */
  readonly unlinked: boolean;
  /** Other names lead to it. */
  readonly hasNames: boolean;
  readonly writable: boolean;
  /** What it takes on disk: what CRIU counts. */
  readonly bytes: number;
  /** Under /proc: opens the file itself, whatever has its name by now. */
  readonly link: string;
}

export interface Holdings {
  /** Each once, as the first process that holds it for writing has it, or else the first. */
  readonly files: readonly OpenFile[];
  /** Of each open socket, by the number of its inode: who holds it. */
  readonly sockets: ReadonlyMap<string, ContainerProcess>;
}

const DELETED = ' (deleted)';
/** Memory that the kernel shows as files, and that CRIU keeps as memory. */
const MEMORY = /^\/(?:memfd:|dev\/zero|SYSV|\[aio\])/;
const SECTOR = 512;

/** What these processes hold. One that ends meanwhile holds nothing. */
export async function holdings(processes: readonly ContainerProcess[]): Promise<Holdings> {
  const files = new Map<string, OpenFile>();
  const sockets = new Map<string, ContainerProcess>();
  for (const process of processes) {
    for (const [link, writable] of await linksOf(process)) {
      const target = await readlink(link).catch(() => '');
      const socket = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (socket !== undefined) sockets.set(socket, process);
      if (!target.startsWith('/') || MEMORY.test(target)) continue;
      const about = await stat(link).catch(() => undefined);
      if (about?.isFile() !== true) continue;
      const key = `${about.dev}:${about.ino}`;
      if (files.get(key)?.writable === true || (files.has(key) && !writable)) continue;
      const unlinked = target.endsWith(DELETED);
      files.set(key, {
        path: unlinked ? target.slice(0, -DELETED.length) : target,
        process,
        unlinked,
        hasNames: about.nlink > 0,
        writable,
        bytes: about.blocks * SECTOR,
        link,
      });
    }
  }
  return { files: [...files.values()], sockets };
}

/** Open files, and deleted ones still in memory: under /proc, and whether it was opened for writing. */
async function linksOf({ pid }: ContainerProcess): Promise<readonly (readonly [link: string, writable: boolean])[]> {
  const about = join('/proc', String(pid));
  const text = async (file: string): Promise<string> => readFile(join(about, file), 'utf8').catch(() => '');
  const open = (await readdir(join(about, 'fd')).catch(() => [])).map(async (fd) => {
    const info = await text(join('fdinfo', fd));
    // O_WRONLY is 1, O_RDWR is 2.
    const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '0', 8);
    return [join(about, 'fd', fd), (flags & 3) !== 0] as const;
  });
  const mapped = (await text('maps'))
    .split('\n')
    .filter((line) => line.endsWith(DELETED))
    .map((line) => [join(about, 'map_files', mapFileName(line.split(' ', 1)[0] ?? '')), false] as const);
  return [...(await Promise.all(open)), ...mapped];
}

/** The first bytes of a file that a process holds open; fewer where it is shorter or gone. */
export async function beginningOf({ link }: OpenFile, length: number): Promise<Buffer> {
  const file = await open(link).catch(() => undefined);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
