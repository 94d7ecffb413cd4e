import { randomBytes } from 'node:crypto';
import {
  appendFile,
  copyFile,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  RepositoryInFolder,
  about,
  asPodmanExports,
  fit,
  flipOneBit,
  hasContent,
  host,
  modeOf,
  pages,
  sha256Of,
  tarOf,
} from '../../test/support/checkpoint-files.ts';

let here: RepositoryInFolder;
beforeEach(async () => {
  here = await RepositoryInFolder.make();
});
afterEach(async () => {
  await here[Symbol.asyncDispose]();
});

describe('storing', () => {
  it('moves the archive in under an id that comes from its content', async () => {
    const content = asPodmanExports();
    const file = await here.archiveFile(content);
    const metadata = await here.checkpointRepository.add(file, about);
    const sha256 = sha256Of(content);
    expect(metadata).toEqual({ format: 1, id: sha256.slice(0, 16), ...about, sizeBytes: content.length, sha256 });
    await expect(stat(file)).rejects.toThrow('ENOENT');
    expect(await hasContent(here.at('tiny', `${metadata.id}.tar`), content)).toBe(true);
    expect(await here.another().metadata(metadata.id)).toEqual(metadata);
    expect(await here.hidden()).toEqual([]);
  });

  it('keeps all of it from others, also under an open umask', async () => {
    const umask = process.umask(0);
    try {
      const { id } = await here.added();
      await here.checkpointRepository.open(id, fit);
      for (const folder of [
        here.dir,
        here.at('tiny'),
        here.at('.unpacked'),
        here.at('.drafts'),
        here.at('.unpacked', id),
        here.at('.unpacked', id, 'artifacts'),
        here.at('.unpacked', id, 'checkpoint'),
      ]) {
        expect(await modeOf(folder), folder).toBe('700');
      }
      for (const file of [
        here.at('tiny', `${id}.tar`),
        here.at('tiny', `${id}.json`),
        here.at('.unpacked', id, 'config.dump'),
        here.at('.unpacked', id, 'checkpoint', 'pages-1.img'),
      ]) {
        expect(await modeOf(file), file).toBe('600');
        expect((await stat(file)).uid).toBe(process.geteuid?.());
      }
    } finally {
      process.umask(umask);
    }
  });

  it('lists the newest first, and says of each broken one what it lacks', async () => {
    const content = (size: number) => asPodmanExports(randomBytes(size));
    const older = await here.added({ createdAt: '2026-01-01T00:00:00.000Z' }, content(10));
    const newer = await here.added({ createdAt: '2026-03-01T00:00:00.000Z', template: 'other' }, content(11));
    const short = await here.added({ createdAt: '2026-02-01T00:00:00.000Z' }, content(12));
    await truncate(here.at('tiny', `${short.id}.tar`), 100);
    const bare = 'f'.repeat(16);
    await writeFile(here.at('tiny', `${bare}.tar`), 'x');
    await utimes(here.at('tiny', `${bare}.tar`), 1, 1);
    await writeFile(here.at('tiny', 'notes.txt'), 'not ours');
    const found = await here.another().list();
    expect(found.map(({ id, problem }) => [id, problem === undefined])).toEqual([
      [newer.id, true],
      [short.id, false],
      [older.id, true],
      [bare, false],
    ]);
    expect(found[1]?.problem).toContain('has 100 bytes');
    expect(found[3]).toMatchObject({
      metadata: undefined,
      problem: expect.stringContaining(`${bare}.json is missing`) as string,
    });
  });

  it('refuses to store what could not be unpacked, and leaves nothing of it', async () => {
    await expect(
      here.added({}, tarOf([{ path: 'checkpoint', type: 'SymbolicLink', linkpath: '/etc' }])),
    ).rejects.toMatchObject({ code: 'checkpoint_failed' });
    await expect(here.added({}, Buffer.from('no archive at all'))).rejects.toMatchObject({ code: 'checkpoint_failed' });
    await expect(here.added({ template: '../tiny' })).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await expect(here.checkpointRepository.add(join(here.home, 'nowhere.tar'), about)).rejects.toMatchObject({
      code: 'checkpoint_failed',
    });
    expect(await here.checkpointRepository.list()).toEqual([]);
    expect(await here.hidden()).toEqual([]);
  });

  it('removes everything of a checkpoint, once or twice, and nothing else', async () => {
    const first = await here.added();
    const second = await here.added({}, asPodmanExports(randomBytes(99)));
    for (const { id } of [first, second]) await here.checkpointRepository.open(id, fit);
    await here.checkpointRepository.remove(first.id);
    await here.checkpointRepository.remove(first.id);
    expect((await readdir(here.at('tiny'))).sort()).toEqual([`${second.id}.json`, `${second.id}.tar`]);
    expect(await here.hidden()).toEqual([second.id]);
    await expect(here.checkpointRepository.open(first.id, fit)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await here.checkpointRepository.open(second.id, fit);
  });

  it.each(['../../etc/passwd', '..', 'tiny/x', '', 'F'.repeat(16)])('never takes %j for an id', async (id) => {
    await writeFile(join(here.home, 'victim.json'), '{}');
    await expect(here.checkpointRepository.metadata(id)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await expect(here.checkpointRepository.open(id, fit)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await expect(here.checkpointRepository.remove(id)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
  });
});

describe('opening', () => {
  it('unpacks once, for any number of callers in any number of processes', async () => {
    const { id } = await here.added();
    const repositories = [here.checkpointRepository, here.another(), here.another()];
    const opened = await Promise.all(
      repositories.flatMap((one) => [one.open(id, fit), one.open(id, fit), one.open(id, fit)]),
    );
    for (const each of opened) expect(each).toEqual({ id, folder: here.at('.unpacked', id), fileLocks: true });
    expect(await hasContent(here.at('.unpacked', id, 'checkpoint', 'pages-1.img'), pages)).toBe(true);
    expect(await here.hidden()).toEqual([id]);
    const { ino } = await stat(here.at('.unpacked', id));
    await here.another().open(id, fit);
    expect((await stat(here.at('.unpacked', id))).ino).toBe(ino);
  });

  it('unpacks a gzipped archive as well', async () => {
    const { id } = await here.added({}, gzipSync(asPodmanExports()));
    const { folder } = await here.checkpointRepository.open(id, fit);
    expect(await hasContent(join(folder, 'checkpoint', 'pages-1.img'), pages)).toBe(true);
  });

  it('refuses an archive that was cut short or changed, although it was unpacked before', async () => {
    const { id } = await here.added();
    await here.checkpointRepository.open(id, fit);
    await flipOneBit(here.at('tiny', `${id}.tar`));
    await expect(here.another().open(id, fit)).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('SHA-256') as string,
    });
    await truncate(here.at('tiny', `${id}.tar`), 400_000);
    await expect(here.another().open(id, fit)).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('400000 bytes') as string,
    });
    await rm(here.at('tiny', `${id}.tar`));
    await expect(here.another().open(id, fit)).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('is missing') as string,
    });
  });

  it('takes up again what was repaired after it had been refused', async () => {
    const { id } = await here.added();
    const fresh = here.another();
    await flipOneBit(here.at('tiny', `${id}.tar`));
    await expect(fresh.open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await flipOneBit(here.at('tiny', `${id}.tar`));
    await fresh.open(id, fit);
  });

  it.each([
    ['is missing', async (file: string) => rm(file)],
    ['cannot be read', async (file: string) => appendFile(file, '}')],
    ['is of format 2', async (file: string) => edit(file, { format: 2 })],
    ['is of format unknown', async (file: string) => edit(file, { format: undefined })],
    ['is not as it was written', async (file: string) => edit(file, { fileLocks: 'yes' })],
    ['contradicts itself', async (file: string) => edit(file, { sha256: '0'.repeat(64) })],
    ['says it was made at "yesterday"', async (file: string) => edit(file, { createdAt: 'yesterday' })],
    ['is among those of tiny', async (file: string) => edit(file, { template: 'other' })],
    ['is of another checkpoint', async (file: string) => edit(file, { id: '0'.repeat(16), sha256: '0'.repeat(64) })],
  ])('refuses metadata that %s', async (what, damage) => {
    const { id } = await here.added();
    await damage(here.at('tiny', `${id}.json`));
    await expect(here.another().open(id, fit)).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining(what) as string,
    });
    expect(await here.another().list()).toMatchObject([{ id, problem: expect.stringContaining(what) as string }]);
  });

  async function edit(file: string, change: object): Promise<void> {
    await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), ...change }));
  }

  it.each([
    ['template tiny (here other)', { ...fit, template: 'other' }],
    ['version of the template v1 (here v2)', { ...fit, templateVersion: 'v2' }],
    ['image sha256:1f (here sha256:2e)', { ...fit, host: { ...host, imageId: 'sha256:2e' } }],
    ['kernel 6.18.1 (here 6.19.0)', { ...fit, host: { ...host, kernel: '6.19.0' } }],
    ['architecture x86_64 (here aarch64)', { ...fit, host: { ...host, arch: 'aarch64' } }],
    ['engine podman (here other)', { ...fit, host: { ...host, engine: 'other' } }],
    [
      'kernel 6.18.1 (here 5.10.0), architecture x86_64 (here aarch64)',
      { ...fit, host: { ...host, kernel: '5.10.0', arch: 'aarch64' } },
    ],
  ])('refuses one made for %s, before anything is unpacked', async (difference, other) => {
    const { id } = await here.added();
    await expect(here.checkpointRepository.open(id, other)).rejects.toMatchObject({
      code: 'checkpoint_unfit',
      message: expect.stringContaining(`was made for ${difference};`) as string,
    });
    expect(await here.hidden()).toEqual([]);
    await here.checkpointRepository.open(id, { ...fit, host: { ...host, criu: '4.3', engineVersion: '5.0' } });
  });

  it('never hands out what a crash left incomplete', async () => {
    const { id } = await here.added();
    const { folder } = await here.checkpointRepository.open(id, fit);
    const image = join(folder, 'checkpoint', 'pages-1.img');
    for (const damage of [
      () => truncate(image, 1000),
      () => rm(image),
      () => rm(join(folder, 'checkpoint'), { recursive: true }),
    ]) {
      await damage();
      await Promise.all([here.another().open(id, fit), here.another().open(id, fit)]);
      expect(await hasContent(image, pages)).toBe(true);
      await damage();
      await Promise.all([here.checkpointRepository.open(id, fit), here.checkpointRepository.open(id, fit)]);
      expect(await hasContent(image, pages)).toBe(true);
    }
    await rm(image);
    await symlink('/etc/passwd', image);
    await here.another().open(id, fit);
    expect(await hasContent(image, pages)).toBe(true);
    expect(await here.hidden()).toEqual([id]);
  });

  it('unpacks again when another process removed it and somebody put it back', async () => {
    const { id } = await here.added();
    await here.checkpointRepository.open(id, fit);
    const copy = join(here.home, 'copy.tar');
    await copyFile(here.at('tiny', `${id}.tar`), copy);
    await here.another().remove(id);
    await expect(here.checkpointRepository.open(id, fit)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await here.another().add(copy, about);
    const { folder } = await here.checkpointRepository.open(id, fit);
    expect(await hasContent(join(folder, 'checkpoint', 'pages-1.img'), pages)).toBe(true);
  });
});

it('leaves an archive without metadata, not metadata without an archive, when it is killed in between', async () => {
  const { id } = await here.added();
  // The state between the two renames of an addition.
  await rename(here.at('tiny', `${id}.json`), here.at('.drafts', 'x.json'));
  await expect(here.another().open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
  await here.checkpointRepository.add(await here.archiveFile(), about);
  await here.another().open(id, fit);
});
