import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

it('is a new one, and those of processes that are gone go with what is in them', async () => {
  const prefix = `tin-temporary-${randomBytes(4).toString('hex')}-`;
  const left = join(tmpdir(), `${prefix}${spawnSync('true').pid}-aaaaaa`);
  const ofAnother = join(tmpdir(), `other-${prefix}${spawnSync('true').pid}-aaaaaa`);
  await mkdir(join(left, 'unpacked'), { recursive: true });
  await writeFile(join(left, 'unpacked', 'pages.img'), 'x');
  await mkdir(ofAnother);
  const first = await temporaryFolder(prefix);
  const second = await temporaryFolder(prefix);
  try {
    expect([left, ofAnother, first, second].map((each) => existsSync(each))).toEqual([false, true, true, true]);
    expect(second).not.toBe(first);
  } finally {
    for (const each of [ofAnother, first, second]) await rm(each, { recursive: true });
  }
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('Skipped: folders of another user; only root can make one\n');
it.skipIf(!isRoot)('leaves alone what another user has left', async () => {
  const prefix = `tin-temporary-${randomBytes(4).toString('hex')}-`;
  const others = join(tmpdir(), `${prefix}${spawnSync('true').pid}-aaaaaa`);
  await mkdir(others);
  await chown(others, 65_534, 65_534);
  const own = await temporaryFolder(prefix);
  try {
    expect(existsSync(others)).toBe(true);
  } finally {
    for (const each of [others, own]) await rm(each, { recursive: true });
  }
});
