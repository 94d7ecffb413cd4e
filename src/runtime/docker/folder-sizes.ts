import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { DiskSeen, DiskUse } from '../../pool/interfaces/consumption.ts';

const BLOCK = 512;
const FIND_PATIENCE_MS = 60_000;
/** Whoever makes many files has it look for long, and it would otherwise come before their neighbours, as we do. */
const BEHIND = 15;
/** What a server without root's rights cannot see is the same at every look. */
const NO_RIGHT = ': Permission denied';
/** Its blocks, and which file it is where that may have other names. */
const ROW_OF_EACH = ['(', '-type', 'd', '-o', '-links', '1', ')', '-printf', '%b\n', '-o', '-printf', '%b %D:%i\n'];
/** Of what is moved, removed or replaced while it looks; names in it are quoted, and have no line breaks. */
const MOVED =
  /^find: (?:.*: (?:No such file or directory|Not a directory|Too many levels of symbolic links)$|File system loop)/;
/** Files that it could not look at are one of its reasons to end with 1. */
const LOOKED = [0, 1];

/** Whether this host has a `find` that tells sizes: the one of busybox, for instance, does not. */
export async function canTellSizes(): Promise<boolean> {
  const most = { bytes: Infinity, files: 0 };
  return folderSizes(['/'], most, AbortSignal.timeout(FIND_PATIENCE_MS)).then(
    ({ files }) => files > 0,
    () => false,
  );
}

/**
 * What is in these folders (absolute paths), without other file systems; a file with several names counts once. Looks
 * no further once it is more than `most`. By `find`, which copes with paths of any depth and names of any bytes, and
 * takes a third of the time. What is moved or removed meanwhile is left out, and with a folder that is moved away from
 * under it all that would have come after it: that is `partial`. Throws when it cannot be run.
 */
export async function folderSizes(folders: readonly string[], most: DiskUse, signal: AbortSignal): Promise<DiskSeen> {
  const there = folders.filter((folder) => existsSync(folder));
  if (there.length === 0) return { bytes: 0, files: 0, partial: false };
  const find = ['env', 'LC_ALL=C', 'find', ...there, '-xdev', ...ROW_OF_EACH];
  const found = spawn('nice', ['-n', String(BEHIND), ...find], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const ended = once(found, 'close');
  // Its failure is thrown below, by whoever waits first.
  ended.catch(() => undefined);
  const said: { moved: boolean; fault?: string; last?: string } = { moved: false };
  createInterface(found.stderr).on('line', (line) => {
    said.last = line;
    if (MOVED.test(line)) said.moved = true;
    // Loaders and `nice` complain of the host alone, and change nothing of what is found.
    else if (line.startsWith('find: ') && !line.endsWith(NO_RIGHT)) said.fault ??= line;
  });
  const { files, bytes, isTooMuch } = await counted(found.stdout, most);
  // Nobody reads on, so that it would wait for a reader.
  if (isTooMuch) found.kill('SIGKILL');
  const [code] = (await ended) as [number | null];
  if (code !== null && !LOOKED.includes(code)) throw new Error(`find ended with ${code}: ${said.last ?? ''}`);
  if (isTooMuch) return { bytes, files, partial: false };
  const { fault } = said;
  // Somebody else has ended it.
  return { bytes, files, partial: said.moved || code === null, ...(fault === undefined ? {} : { fault }) };
}

/** Reads no further once it is more than `most`, and closes the stream then. */
async function counted(rows: Readable, most: DiskUse): Promise<DiskUse & { readonly isTooMuch: boolean }> {
  const use = { bytes: 0, files: 0 };
  const seen = new Set<string>();
  let begun = '';
  // A hundred thousand for whoever makes files: as lines of an iterator they would cost ten times as much.
  for await (const chunk of rows.setEncoding('latin1') as AsyncIterable<string>) {
    const whole = `${begun}${chunk}`.split('\n');
    begun = whole.pop() ?? '';
    for (const row of whole) {
      const [blocks, file] = row.split(' ');
      if (file !== undefined) {
        if (seen.has(file)) continue;
        seen.add(file);
      }
      use.files += 1;
      use.bytes += Number(blocks) * BLOCK;
      if (use.bytes > most.bytes || use.files > most.files) return { ...use, isTooMuch: true };
    }
  }
  return { ...use, isTooMuch: false };
}
