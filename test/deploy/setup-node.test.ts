import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { Cleanups, ownFolder } from '../support/deployment.ts';

const SETUP = fileURLToPath(new URL('../../scripts/setup.sh', import.meta.url));
const ADVICE = 'If somebody has another one: sudo env "PATH=$PATH" make up.';

it.each<[string, Readonly<Record<string, string>>, boolean]>([
  ['root', {}, false],
  ['sudo', { SUDO_USER: 'somebody' }, true],
])('says to %s how to have the Node of a home, where there is one', async (_, asked, isSaid) => {
  await using cleanups = new Cleanups('the set-up');
  const folder = await ownFolder(cleanups, 'tin-no-node-');
  await symlink('/usr/bin/dirname', join(folder, 'dirname'));
  const run = promisify(execFile)('/bin/bash', ['--norc', SETUP], { env: { PATH: folder, ...asked } });
  const refusal = (await run.catch((error: unknown) => error)) as { readonly code: number; readonly stderr: string };
  expect([refusal.code, refusal.stderr]).toEqual([1, expect.stringMatching(/^set-up: Node .* is not installed/)]);
  expect(refusal.stderr.includes(ADVICE)).toBe(isSaid);
});
