import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder of this process in the system's temporary one, the caller's to remove. Those of this prefix that
 * processes left which ended without a chance to remove them are gone then, but for the newest so many that are kept.
 */
export async function temporaryFolder(prefix: string, { kept = 0 } = {}): Promise<string> {
  const ours = `${prefix}${await processIdSpace()}-`;
  const left: { readonly path: string; readonly madeMs: number }[] = [];
  for (const entry of await readdir(tmpdir())) {
    if (!entry.startsWith(ours)) continue;
    const pid = /^(\d+)-/.exec(entry.slice(ours.length))?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const path = join(tmpdir(), entry);
    // Others' are theirs to remove.
    const found = await lstat(path).catch(() => undefined);
    if (found?.uid === process.getuid?.()) left.push({ path, madeMs: found?.mtimeMs ?? 0 });
  }
  left.sort((one, other) => other.madeMs - one.madeMs);
  for (const { path } of left.slice(kept)) await rm(path, { recursive: true, force: true });
  return mkdtemp(join(tmpdir(), `${ours}${process.pid}-`));
}

/** Containers may share the folder with their host, and have process ids of their own: nobody knows the others'. */
async function processIdSpace(): Promise<string> {
  return /\d+/.exec(await readlink('/proc/self/ns/pid'))?.[0] ?? '';
}
