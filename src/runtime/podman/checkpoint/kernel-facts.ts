import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { promisify } from 'node:util';

/** CRIU's own file, by its fixed name. */
const FACTS = '/run/criu.kdat';
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;
/**
 * CRIU writes the file where /run is in memory, as it is here in a mount namespace that ends with the command. What a
 * user's PATH leaves out is looked for, too.
 */
const MAKE = [
  'mount -t tmpfs tmpfs /run || exit',
  'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"',
  'criu check >/dev/null 2>&1',
  'cat /run/criu.kdat',
].join('\n');

/**
 * CRIU tries out at each of its starts what the kernel can, and a restore starts it twice: some 70 ms. It keeps what it
 * found in a file, but only where /run is in memory, and never again once it was killed while it wrote that file. So
 * the file is made for it, once for each boot: it says nothing of the kernel that comes after. CRIU itself passes over
 * one that is not of its own version. Throws the error of the command.
 */
export async function keepKernelFacts(file = FACTS): Promise<void> {
  const made = await stat(file).catch(() => undefined);
  if (made !== undefined && made.mtimeMs >= Date.now() - uptime() * 1_000) return;
  const { stdout } = await promisify(execFile)('unshare', ['--mount', '/bin/sh', '-c', MAKE], {
    encoding: 'buffer',
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_BYTES,
  });
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(draft, stdout, { mode: 0o600 });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
