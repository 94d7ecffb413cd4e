import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

const DRAFT = /^\..+\.[0-9a-f]{12}\.unfinished(?:\.tar\.gz)?$/;
/** No backup, and no question about one, takes so long. */
const LEFT_MS = 24 * 3_600_000;

/** A path beside the file for what is not finished, or unpacked. Those that killed processes left there go first. */
export async function draftBeside(file: string): Promise<string> {
  const folder = dirname(resolve(file));
  await removeLeft(folder);
  return join(folder, `.${basename(file)}.${randomBytes(6).toString('hex')}.unfinished`);
}

/** Another user's, or one that somebody else removes just now, is nothing that a backup fails for. */
async function removeLeft(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => DRAFT.test(each))) {
    const path = join(folder, name);
    const atMs = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Infinity,
    );
    if (Date.now() - atMs > LEFT_MS) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
