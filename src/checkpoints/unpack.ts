import { lstat, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { extract } from 'tar';
import { removeUnpacked } from '../lifecycle/remove-unpacked.ts';

/**
 * Unpacks an archive that was checked and found safe into `target`, which appears whole or not at all: also after a
 * crash, and while another process unpacks the same one. `draft` and `aside` are free names in the same file system.
 */
export async function unpack(
  archive: string,
  files: ReadonlyMap<string, number>,
  paths: { readonly target: string; readonly draft: string; readonly aside: string },
): Promise<void> {
  const { target, draft, aside } = paths;
  await requireRoom(dirname(draft), files);
  try {
    await mkdir(draft, { mode: 0o700 });
    await extract({
      file: archive,
      cwd: draft,
      strict: true,
      preserveOwner: false,
      noMtime: true,
      // The archive's own modes let everybody read most of the dump, and nobody enter a folder.
      onReadEntry: (entry) => {
        entry.mode = entry.type === 'Directory' ? 0o700 : 0o600;
      },
    });
    // A write that a full disk cuts short goes unnoticed in there.
    if (!(await isWhole(draft, files))) throw noRoom('not everything in it could be written');
    await sync(draft);
    while (!(await moved(draft, target))) {
      if (await isWhole(target, files)) return;
      // Another process that finds it incomplete may have been faster.
      await rename(target, aside).catch((error: unknown) => {
        if (!hasCode(error, 'ENOENT')) throw error;
      });
      await rm(aside, { recursive: true, force: true });
    }
  } finally {
    await removeUnpacked(draft);
  }
}

/** Beforehand, because what shares the disk suffers from a full one too. Throws ENOSPC. */
async function requireRoom(folder: string, files: ReadonlyMap<string, number>): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const needed = [...files.values()].reduce((sum, size) => sum + size, 0);
  if (bavail * bsize < needed) throw noRoom(`${needed} bytes are needed in ${folder}`);
}

function noRoom(why: string): Error {
  return Object.assign(new Error(why), { code: 'ENOSPC' });
}

/** Whether every file is there in its full size: more than a crash or a full disk leaves behind. */
export async function isWhole(folder: string, files: ReadonlyMap<string, number>): Promise<boolean> {
  const sound = await Promise.all(
    [...files].map(async ([path, size]) => {
      const found = await lstat(join(folder, path)).catch(() => undefined);
      return found?.isFile() === true && found.size === size;
    }),
  );
  return sound.every(Boolean);
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}

/** Whether it is what the file system says, and one of these. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** A name must not reach the disk before what it names does. */
async function sync(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await sync(path);
    else await syncOne(path);
  }
  await syncOne(folder);
}

export async function syncOne(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
