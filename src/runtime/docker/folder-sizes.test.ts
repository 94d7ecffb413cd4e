import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { canTellSizes, folderSizes } from './folder-sizes.ts';

const never = new AbortController().signal;
const PLENTY = { bytes: 2 ** 40, files: 2 ** 30 };
const KIB = 1024;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-sizes-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  return rm(folder, { recursive: true });
});

it('counts a file once whatever names it has, and follows no link', async () => {
  const empty = await folderSizes([folder], PLENTY, never);
  expect(empty.files).toBe(1);
  await writeFile(join(folder, 'one\nname of two lines'), Buffer.alloc(64 * KIB, 1));
  await link(join(folder, 'one\nname of two lines'), join(folder, 'other name'));
  await symlink('/', join(folder, 'everything'));
  await mkdir(join(folder, 'below'));
  await writeFile(
    Buffer.concat([Buffer.from(`${folder}/below/`), Buffer.from([0xff, 0xfe])]),
    Buffer.alloc(64 * KIB, 1),
  );
  const { bytes, files } = await folderSizes([folder], PLENTY, never);
  expect(files).toBe(5);
  expect(bytes - empty.bytes).toBeGreaterThanOrEqual(128 * KIB);
  expect(bytes - empty.bytes).toBeLessThan(192 * KIB);
});

it('looks no further than it has to, and finds nothing where there is nothing', async () => {
  for (let at = 0; at < 50; at += 1) await writeFile(join(folder, String(at)), 'x');
  expect((await folderSizes([folder, folder], { bytes: 2 ** 40, files: 10 }, never)).files).toBe(11);
  expect(await folderSizes([join(folder, 'gone')], PLENTY, never)).toEqual({ bytes: 0, files: 0, partial: false });
  expect(await folderSizes([], PLENTY, never)).toEqual({ bytes: 0, files: 0, partial: false });
});

it('is done as soon as it is too much, however much there would be', async () => {
  await writeFile(join(folder, 'find'), '#!/bin/sh\nexec yes 8\n', { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  const { files, partial } = await folderSizes([folder], { bytes: 2 ** 40, files: 10 }, never);
  expect({ files, partial }).toEqual({ files: 11, partial: false });
});

it('says so when what it looks through is moved away meanwhile', async () => {
  // As deep as it takes for a walk to lose its way back.
  const name = (at: number): string => Array.from({ length: at }, () => 'x').join('/');
  for (let decoy = 0; decoy < 20; decoy += 1) await mkdir(join(folder, `a/${decoy}`, name(8)), { recursive: true });
  await mkdir(join(folder, 'b'));
  await writeFile(join(folder, 'data'), Buffer.alloc(64 * KIB, 1));
  const quiet = await folderSizes([folder], PLENTY, never);
  expect(quiet.partial).toBe(false);
  const moving = 'chdir shift; while (1) { rename "a/$_", "b/$_" for 0 .. 19; rename "b/$_", "a/$_" for 0 .. 19 }';
  const mover = spawn('perl', ['-e', moving, folder]);
  try {
    await once(mover, 'spawn');
    for (let look = 0; look < 20; look += 1) {
      const { bytes, files, partial } = await folderSizes([folder], PLENTY, never);
      if (!partial) continue;
      expect(files).toBeLessThanOrEqual(2 * quiet.files);
      expect(bytes).toBeLessThanOrEqual(2 * quiet.bytes);
      return;
    }
    expect.unreachable('none of the looks was disturbed');
  } finally {
    mover.kill('SIGKILL');
    await once(mover, 'close');
  }
});

const says = (line: string, code = 1): Promise<void> =>
  writeFile(join(folder, 'find'), `#!/bin/sh\nprintf "8\\n"\necho "${line}" >&2\nexit ${code}\n`, {
    mode: 0o755,
  });

it('is not disturbed by what the programs of the host complain of, whatever is looked at', async () => {
  vi.stubEnv('LD_PRELOAD', '/nowhere/agent.so');
  expect(await folderSizes([folder], PLENTY, never)).toMatchObject({ files: 1, partial: false });
});

it.each([
  ["find: '/data/x': Input/output error", true],
  ["find: '/data/x': Structure needs cleaning", true],
  ["find: '/data/x': Permission denied", false],
])('takes no fault of the host for files that are moved: %s', async (line, told) => {
  await says(line);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  expect(await folderSizes([folder], PLENTY, never)).toEqual({
    ...{ bytes: 4 * KIB, files: 1, partial: false },
    ...(told ? { fault: line } : {}),
  });
});

it.each([
  "find: '/data/x': No such file or directory",
  "find: '/data/x': Not a directory",
  "find: File system loop detected; '/data/x' is part of the same file system loop as '/data'.",
])('says that there may be more where files are moved: %s', async (line) => {
  await says(line);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  expect(await folderSizes([folder], PLENTY, never)).toEqual({ bytes: 4 * KIB, files: 1, partial: true });
});

it('takes what fails altogether for no answer', async () => {
  await says('env: exec format error', 126);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  await expect(folderSizes([folder], PLENTY, never)).rejects.toThrow('find ended with 126: env: exec format error');
});

it('knows whether this host can tell', async () => {
  expect(await canTellSizes()).toBe(true);
  const { PATH } = process.env;
  try {
    process.env['PATH'] = folder;
    expect(await canTellSizes()).toBe(false);
  } finally {
    process.env['PATH'] = PATH;
  }
});

it('comes after whoever waits for a processor, however much there is to find', async () => {
  await writeFile(join(folder, 'find'), '#!/bin/sh\nprintf "%s\\n" "$(nice)"\n', { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env['PATH'] ?? ''}`);
  const { bytes } = await folderSizes([folder], PLENTY, never);
  expect(bytes / 512).toBe(Math.min(19, getPriority() + 15));
});
