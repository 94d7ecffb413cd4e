import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { Cleanups, ownFolder } from '../support/deployment.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** What the documents have one type to draw a key into a file. */
async function commands(): Promise<string[]> {
  const { stdout } = await run('git', ['ls-files', '-z', '*.md'], { cwd: ROOT });
  const pages = stdout.split('\0').filter((file) => file !== '');
  const texts = await Promise.all(pages.map((file) => readFile(join(ROOT, file), 'utf8')));
  return texts
    .flatMap((text) => text.split('\n'))
    .flatMap((line) =>
      /^ *[^`]*$/.test(line) ? [line.trim()] : [...line.matchAll(/`([^`]+)`/g)].map(([, each = '']) => each),
    )
    .filter((command) => /(openssl rand|\/dev\/urandom).*> ?[\w/"$]/.test(command));
}

it('keys that are drawn as the documents say are for nobody else to read', async () => {
  const found = await commands();
  expect(found.length).toBeGreaterThan(1);
  for (const command of found) {
    await using cleanups = new Cleanups('a key');
    const folder = await ownFolder(cleanups, 'tin-key-');
    await mkdir(join(folder, 'etc/try-it-now/secrets'), { recursive: true });
    const here = command.replaceAll('/etc/', `${folder}/etc/`);
    await run('bash', ['-ec', `umask 022; ${here}`], { cwd: folder });
    const all = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = all.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
    expect(files.length, command).toBeGreaterThan(0);
    for (const file of files) expect([command, (await stat(file)).mode & 0o077]).toEqual([command, 0]);
  }
});
