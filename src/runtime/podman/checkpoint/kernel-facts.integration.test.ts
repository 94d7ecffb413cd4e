import { mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepKernelFacts } from './kernel-facts.ts';

/** CRIU's number for this kind of file, in the bytes of this machine. */
const MAGIC = 0x57023458;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'try-it-now-facts-'));
});
afterEach(() => rm(dir, { recursive: true }));

it('keeps what CRIU found out about the kernel, once for each boot', async () => {
  const file = join(dir, 'criu.kdat');
  // As one leaves it that was killed, after which CRIU makes none any more.
  await writeFile(`${file}.tmp`, '');
  await keepKernelFacts(file);
  expect((await readFile(file)).readUInt32LE()).toBe(MAGIC);
  expect((await stat(file)).mode & 0o777).toBe(0o600);

  const { ino } = await stat(file);
  await keepKernelFacts(file);
  expect((await stat(file)).ino).toBe(ino);

  await writeFile(file, 'of the kernel before');
  await utimes(file, 1, 1);
  await keepKernelFacts(file);
  expect((await readFile(file)).readUInt32LE()).toBe(MAGIC);
  expect((await readdir(dir)).sort()).toEqual(['criu.kdat', 'criu.kdat.tmp']);
});

it('leaves nothing where it cannot be made', async () => {
  await expect(keepKernelFacts(join(dir, 'there-is-no-such-folder', 'criu.kdat'))).rejects.toThrow('ENOENT');
  expect(await readdir(dir)).toEqual([]);
});
