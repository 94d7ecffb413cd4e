import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readlinkSync } from 'node:fs';
import { chown, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

const space = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
/** As a process leaves it that is gone. */
const leftover = (prefix: string, where = space): string => `${prefix}${where}-${spawnSync('true').pid}-aaaaaa`;

it('is a new one, and those of processes that are gone go with what is in them', async () => {
  const prefix = `tin-temporary-${randomBytes(4).toString('hex')}-`;
  const left = join(tmpdir(), leftover(prefix));
  const ofAnother = join(tmpdir(), leftover(`other-${prefix}`));
  await mkdir(join(left, 'unpacked'), { recursive: true });
  await writeFile(join(left, 'unpacked', 'pages.img'), 'x');
  // A container's processes have ids of their own, under which there is another process here, or none.
  const ofContainer = join(tmpdir(), leftover(prefix, '4026531000'));
  await mkdir(ofAnother);
  await mkdir(ofContainer);
  const first = await temporaryFolder(prefix);
  const second = await temporaryFolder(prefix);
  try {
    expect([left, ofAnother, ofContainer, first, second].map((each) => existsSync(each))).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(second).not.toBe(first);
  } finally {
    for (const each of [ofAnother, ofContainer, first, second]) await rm(each, { recursive: true });
  }
});

it('keeps the newest of them where that is asked for', async () => {
  const prefix = `tin-temporary-${randomBytes(4).toString('hex')}-`;
  const [older, newer] = [join(tmpdir(), leftover(prefix)), join(tmpdir(), leftover(prefix))];
  await mkdir(older);
  await mkdir(newer);
  await utimes(older, 1, 1);
  const own = await temporaryFolder(prefix, { kept: 1 });
  try {
    expect([older, newer].map((each) => existsSync(each))).toEqual([false, true]);
  } finally {
    for (const each of [newer, own]) await rm(each, { recursive: true });
  }
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('Skipped: folders of another user; only root can make one\n');
it.skipIf(!isRoot)('leaves alone what another user has left', async () => {
  const prefix = `tin-temporary-${randomBytes(4).toString('hex')}-`;
  const others = join(tmpdir(), leftover(prefix));
  await mkdir(others);
  await chown(others, 65_534, 65_534);
  const own = await temporaryFolder(prefix);
  try {
    expect(existsSync(others)).toBe(true);
  } finally {
    for (const each of [others, own]) await rm(each, { recursive: true });
  }
});
