import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** Those of the repository whose first line names a shell. */
async function shellScripts(): Promise<string[]> {
  const { stdout } = await run('git', ['ls-files', '-z'], { cwd: ROOT });
  const files = stdout.split('\0').filter((file) => /(^|\/)[^.]+$|\.(sh|bash)$/.test(file));
  const heads = await Promise.all(
    files.map(async (file) => ({ file, head: (await readFile(join(ROOT, file))).subarray(0, 40).toString() })),
  );
  return heads.filter(({ head }) => /^#!.*\b(ba|da)?sh\b/.test(head)).map(({ file }) => file);
}

it('finds nothing wrong in the shell scripts', async () => {
  const scripts = await shellScripts();
  expect(scripts).toContain('scripts/setup.sh');
  // SC2016: a $ or ` between single quotes is meant as it stands, in patterns and in tables.
  const args = ['--external-sources', '--exclude', 'SC2016', ...scripts];
  const { stdout } = await run('shellcheck', args, { cwd: ROOT }).catch(
    (error: unknown) => error as { stdout: string },
  );
  expect(stdout).toBe('');
});
