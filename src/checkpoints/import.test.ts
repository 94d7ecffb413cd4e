import { randomBytes } from 'node:crypto';
import { rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  RepositoryInFolder,
  asPodmanExports,
  fit,
  flipOneBit,
  hasContent,
  modeOf,
  sha256Of,
  tarOf,
  type TarEntry,
} from '../../test/support/checkpoint-files.ts';

let here: RepositoryInFolder;
beforeEach(async () => {
  here = await RepositoryInFolder.make();
});
afterEach(async () => {
  await here[Symbol.asyncDispose]();
});

describe('taking in archives from elsewhere', () => {
  it.each([
    ['checkpoint.tar', asPodmanExports()],
    ['checkpoint.tar.gz', gzipSync(asPodmanExports())],
  ])('copies %s in with what is beside it, once', async (name, content) => {
    const file = await here.brought(content, name);
    const metadata = await here.checkpointRepository.import(file);
    const { ino } = await stat(here.at('tiny', `${metadata.id}.tar`));
    expect(await modeOf(here.at('tiny', `${metadata.id}.tar`))).toBe('600');
    expect(await here.another().import(file)).toEqual(metadata);
    expect((await stat(here.at('tiny', `${metadata.id}.tar`))).ino).toBe(ino);
    expect(await hasContent(file, content)).toBe(true);
    await here.checkpointRepository.open(metadata.id, fit);
    expect(await here.hidden()).toEqual([metadata.id]);
  });

  it('leaves behind what was said of it on the node that it was made on', async () => {
    const marks = { fetched: true, standsFor: 'e'.repeat(16), keepUntil: '2026-01-02T05:04:05.000Z' };
    const stays = { forImage: 'localhost/tiny', settingsVersion: 's1' };
    const file = await here.brought(undefined, undefined, { ...marks, ...stays });
    const { id } = await here.checkpointRepository.import(file);
    const [stored] = await here.checkpointRepository.list();
    expect(stored).toMatchObject({ id, metadata: stays });
    expect(Object.keys(stored?.metadata ?? {}).filter((key) => key in marks)).toEqual([]);
  });

  it('takes one that is in the checkpoint repository itself', async () => {
    const metadata = await here.added();
    expect(await here.another().import(here.at('tiny', `${metadata.id}.tar`))).toEqual(metadata);
  });

  it('repairs what is damaged in the checkpoint repository', async () => {
    const file = await here.brought();
    const { id } = await here.checkpointRepository.import(file);
    await flipOneBit(here.at('tiny', `${id}.tar`));
    const fresh = here.another();
    await expect(fresh.open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await fresh.import(file);
    await fresh.open(id, fit);
    await rm(here.at('tiny', `${id}.json`));
    await here.another().import(file);
    await here.another().open(id, fit);
  });

  it('refuses what is not as its metadata says, also when the checkpoint repository has the sound one', async () => {
    const file = await here.brought();
    await flipOneBit(file);
    await expect(here.checkpointRepository.import(file)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    expect(await here.checkpointRepository.list()).toEqual([]);
    await flipOneBit(file);
    await here.checkpointRepository.import(file);
    await truncate(file, 5000);
    await expect(here.checkpointRepository.import(file)).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('5000 bytes') as string,
    });
    expect((await here.hidden()).length).toBe(0);
  });

  it('refuses files that are missing, misnamed or of a template that cannot be', async () => {
    const file = await here.brought(undefined, undefined, { template: '../../escape' });
    await expect(here.checkpointRepository.import(file)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await expect(here.checkpointRepository.import(join(here.home, 'checkpoint.zip'))).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('.tar.gz') as string,
    });
    await rm(join(here.home, 'checkpoint.json'));
    await expect(here.checkpointRepository.import(file)).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('checkpoint.json is missing') as string,
    });
    await rm(await here.brought());
    await expect(here.checkpointRepository.import(join(here.home, 'checkpoint.tar'))).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('checkpoint.tar is missing') as string,
    });
    await rm(join(here.home, 'checkpoint.json'));
    await here.added();
    await expect(
      here.checkpointRepository.import(await here.brought(undefined, undefined, { template: 'other' })),
    ).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringContaining('of template tiny') as string,
    });
  });

  it.each<[string, readonly TarEntry[]]>([
    ['absolute name', [{ path: '/tmp/try-it-now-escaped', body: Buffer.from('x') }]],
    ['name that climbs', [{ path: 'checkpoint/../../../escaped', body: Buffer.from('x') }]],
    [
      'symbolic link',
      [
        { path: 'checkpoint', type: 'SymbolicLink', linkpath: '/etc' },
        { path: 'checkpoint/passwd', body: Buffer.from('x') },
      ],
    ],
    ['hard link', [{ path: 'stolen', type: 'Link', linkpath: '/etc/shadow' }]],
    ['device', [{ path: 'sda', type: 'BlockDevice' }]],
    ['named pipe', [{ path: 'pipe', type: 'FIFO' }]],
  ])('refuses an archive that has a hostile entry (%s), however well its checksum fits', async (_, hostile) => {
    const content = Buffer.concat([asPodmanExports().subarray(0, -1024), tarOf(hostile)]);
    await expect(here.checkpointRepository.import(await here.brought(content))).rejects.toMatchObject({
      code: 'checkpoint_damaged',
      message: expect.stringMatching(/its entry ".*" (leads out|is neither)/) as string,
    });
    // Nor when somebody put both files there by hand.
    const metadata = await here.added({}, asPodmanExports(randomBytes(20)));
    const sha256 = sha256Of(content);
    const id = sha256.slice(0, 16);
    await writeFile(here.at('tiny', `${id}.tar`), content);
    await writeFile(
      here.at('tiny', `${id}.json`),
      JSON.stringify({ ...metadata, id, sha256, sizeBytes: content.length }),
    );
    await expect(here.checkpointRepository.open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    expect(await here.hidden()).toEqual([]);
  });
});
