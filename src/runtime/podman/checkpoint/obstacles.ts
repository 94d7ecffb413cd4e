import { readFile } from 'node:fs/promises';
import type { DumpOptions } from '../../../domain/template.ts';
import { processesWith, type ContainerProcess } from './container-processes.ts';
import { beginningOf, holdings, type Holdings, type OpenFile } from './open-files.ts';
import { boundToOwnAddress } from './own-address.ts';

const SQLITE = Buffer.from('SQLite format 3\0');
/** Where a database's header says how it is written: 2 with a write-ahead log, 1 with a rollback journal. */
const WRITE_VERSION_AT = 18;
const ROLLBACK_JOURNAL = 1;

/**
 * What stands in the way of a dump of the container that this process is of, or of its clones, in words and each with
 * what to do. What cannot be seen from outside is left to CRIU and to the verification.
 */
export async function obstacles(pid: number, options: DumpOptions): Promise<readonly string[]> {
  const processes = await processesWith(pid);
  const held = await holdings(processes);
  return [
    ...(await onOwnAddress(pid, held)),
    ...(await rollbackDatabases(held)),
    ...deletedFiles(held, options),
    ...(options.fileLocks ? [] : lockHolders(processes, await readFile('/proc/locks', 'utf8').catch(() => ''))),
  ];
}

async function onOwnAddress(pid: number, { sockets }: Holdings): Promise<readonly string[]> {
  return (await boundToOwnAddress(pid)).map(
    ({ inode, protocol, address, port }) =>
      `${sockets.get(inode)?.name ?? 'the app'} listens on the container's own address ${address}, ${protocol} port ` +
      `${port}, which no clone has: have it listen on 0.0.0.0 (in many apps an option or variable named host, bind ` +
      'or listen)',
  );
}

/** SQLite takes a file whose inode has changed for another one, and writes no more to it. */
async function rollbackDatabases({ files }: Holdings): Promise<readonly string[]> {
  const found = await Promise.all(
    files
      .filter(({ writable, unlinked }) => writable && !unlinked)
      .map(async (file) => ((await isRollbackDatabase(file)) ? file : [])),
  );
  return found
    .flat()
    .map(
      ({ path, process }) =>
        `${process.name} holds the SQLite database ${path} open in rollback-journal mode, and no clone could write ` +
        'to it (SQLITE_READONLY): use write-ahead logging (PRAGMA journal_mode=WAL) with checkpoint.file_locks: ' +
        'true, or have the app open the database in its activation or with the first request',
    );
}

async function isRollbackDatabase(file: OpenFile): Promise<boolean> {
  const header = await beginningOf(file, WRITE_VERSION_AT + 1);
  return header.subarray(0, SQLITE.length).equals(SQLITE) && header[WRITE_VERSION_AT] === ROLLBACK_JOURNAL;
}

function deletedFiles({ files }: Holdings, { ghostLimitBytes, linkRemap }: DumpOptions): readonly string[] {
  return files
    .filter(({ unlinked }) => unlinked)
    .flatMap(({ path, process, bytes, hasNames }) => {
      const holds = `${process.name} holds the deleted file ${path} open`;
      if (hasNames)
        return linkRemap ? [] : [`${holds}, which has another name still: set checkpoint.link_remap to true`];
      if (bytes <= ghostLimitBytes) return [];
      return [
        `${holds}, ${inMiB(bytes)} MiB, and a checkpoint takes deleted files of at most ${inMiB(ghostLimitBytes)} ` +
          `MiB along: set checkpoint.ghost_limit to ${Math.ceil(bytes / 2 ** 20)}MiB or more, or have the app close it`,
      ];
    });
}

/** The kernel's list names the holder as the reader sees it: the host's process id. */
export function lockHolders(processes: readonly ContainerProcess[], locks: string): readonly string[] {
  const holders = new Set([...locks.matchAll(/^\d+: \S+\s+\S+\s+\S+\s+(\d+) /gm)].map(([, pid]) => Number(pid)));
  const names = new Set(processes.filter(({ pid }) => holders.has(pid)).map(({ name }) => name));
  return [...names].map((name) => `${name} holds file locks: set checkpoint.file_locks to true`);
}

function inMiB(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1).replace(/\.0$/, '');
}
