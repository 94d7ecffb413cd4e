import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositoryInFolder, about, asPodmanExports, fit, modeOf } from '../../test/support/checkpoint-files.ts';
import { draftArchiveIn } from './folders.ts';

const run = promisify(execFile);

let here: RepositoryInFolder;
beforeEach(async () => {
  here = await RepositoryInFolder.make();
});
afterEach(async () => {
  await here[Symbol.asyncDispose]();
});

describe('the folder', () => {
  it('is made again, for us alone, where somebody has removed it', async () => {
    const archive = await here.archiveFile();
    await here.added();
    for (const use of [
      () => here.checkpointRepository.tidy(),
      () => here.checkpointRepository.list(),
      () => here.checkpointRepository.add(archive, about),
    ]) {
      await rm(here.dir, { recursive: true });
      await use();
      expect(await modeOf(here.dir)).toBe('700');
    }
    expect(await here.checkpointRepository.list()).toHaveLength(1);
  });

  it('is named with what is wrong with it, also once it was in use', async () => {
    await here.added();
    await rm(here.dir, { recursive: true });
    await writeFile(here.dir, 'no folder');
    for (const use of [() => here.checkpointRepository.list(), () => here.checkpointRepository.tidy()])
      await expect(use()).rejects.toMatchObject({
        code: 'invalid_config',
        message: expect.stringContaining(here.dir) as string,
      });
  });

  it('is closed to others when it was there, empty and open', async () => {
    await mkdir(here.at('.drafts'), { recursive: true });
    await chmod(here.dir, 0o755);
    await here.checkpointRepository.list();
    expect(await modeOf(here.dir)).toBe('700');
  });

  it('is refused, and left as it is, when it is open to others and holds anything', async () => {
    await mkdir(here.dir);
    await writeFile(here.at('somebody-elses'), '');
    await chmod(here.dir, 0o755);
    await expect(here.checkpointRepository.list()).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('chmod 700') as string,
    });
    expect(await modeOf(here.dir)).toBe('755');
    await chmod(here.dir, 0o700);
    expect(await here.checkpointRepository.list()).toEqual([]);
  });

  it('has its folders closed when one was opened to others since', async () => {
    const { id } = await here.added();
    await chmod(here.at('tiny'), 0o755);
    await chmod(here.at('.unpacked'), 0o777);
    await chmod(here.at('tiny', `${id}.tar`), 0o644);
    await here.another().open(id, fit);
    expect([
      await modeOf(here.at('tiny')),
      await modeOf(here.at('.unpacked')),
      await modeOf(here.at('tiny', `${id}.tar`)),
    ]).toEqual(['700', '700', '600']);
  });

  it('is cleared of what dead processes left, not of what living ones are making', async () => {
    const { id } = await here.added();
    const fields = readFileSync('/proc/self/stat', 'utf8');
    const startTime = fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    const hex = '0'.repeat(16);
    const alive = `${process.pid}-${startTime}-${hex}`;
    const dead = [`${process.pid}-1-${hex}`, `999999999-${startTime}-${hex}`];
    for (const name of [alive, ...dead]) {
      await mkdir(here.at('.unpacked', `.${name}`, 'checkpoint'), { recursive: true });
      await writeFile(here.at('.drafts', name), 'memory');
    }
    await writeFile(here.at('.drafts', 'killed.tar'), 'memory');
    await utimes(here.at('.drafts', 'killed.tar'), 1, 1);
    await writeFile(here.at('.drafts', 'in-the-making.tar'), 'memory');
    await mkdir(here.at('.unpacked', 'e'.repeat(16)));
    await here.checkpointRepository.open(id, fit);
    await here.another().list();
    expect((await readdir(here.at('.drafts'))).sort()).toEqual([alive, 'in-the-making.tar']);
    expect((await readdir(here.at('.unpacked'))).sort()).toEqual([`.${alive}`, id].sort());
  });

  it('is cleared of what another process leaves while this one runs', async () => {
    await here.added();
    const own = basename(draftArchiveIn(here.dir).path);
    expect(own).toMatch(new RegExp(`^${process.pid}-\\d+-[0-9a-f]{16}\\.tar$`));
    for (const name of [own, own.replace(String(process.pid), '999999999')])
      await writeFile(here.at('.drafts', name), 'memory');
    await here.checkpointRepository.tidy();
    expect(await readdir(here.at('.drafts'))).toEqual([own]);
  });

  it('says when its disk is full, and leaves nothing half done', async (context) => {
    const small = join(here.home, 'small');
    await mkdir(small);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', small]).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    context.skip(mounted !== undefined, `a small file system cannot be mounted here: ${mounted ?? ''}`);
    try {
      const tight = here.another(small);
      // Another file system, so it is copied; the original goes when the copy is safe.
      const file = await here.archiveFile();
      const { id } = await tight.add(file, about);
      await expect(stat(file)).rejects.toThrow('ENOENT');
      await expect(tight.open(id, fit)).rejects.toMatchObject({
        code: 'host_failed',
        message: expect.stringContaining('no space is left') as string,
      });
      expect(await readdir(join(small, '.unpacked'))).toEqual([]);

      const second = await here.brought(asPodmanExports(randomBytes(600_000)));
      await expect(tight.import(second)).rejects.toMatchObject({
        code: 'host_failed',
        message: expect.stringContaining('no space is left') as string,
      });
      await expect(tight.add(second, about)).rejects.toMatchObject({ code: 'host_failed' });
      expect(await readdir(join(small, '.drafts'))).toEqual([]);
      expect((await tight.list()).map((each) => [each.id, each.problem])).toEqual([[id, undefined]]);
      await stat(second);
    } finally {
      await run('umount', [small]);
    }
  });
});
