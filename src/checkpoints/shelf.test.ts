import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendFile, chmod, copyFile, mkdir, mkdtemp, open, readFile, readdir, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Header, type HeaderData } from 'tar';
import { silent } from '../../test/support/store.ts';
import type { CheckpointHost, CheckpointMetadata } from '../domain/checkpoint.ts';
import type { CheckpointShelf } from '../pool/ports.ts';
import { openShelf } from './shelf.ts';

const run = promisify(execFile);
const host: CheckpointHost = { imageId: 'sha256:1f', kernel: '6.18.1', arch: 'x86_64', engine: 'podman', engineVersion: '4.3.1', criu: '4.2' };
const about = { template: 'tiny', templateVersion: 'v1', host, fileLocks: true, createdAt: '2026-01-02T03:04:05.000Z' };
const fit = { template: 'tiny', templateVersion: 'v1', host };
const pages = randomBytes(700_000);

type Entry = HeaderData & { readonly path: string; readonly body?: Uint8Array };

/** An archive as it may come from anybody, which no sound program would write. */
function tarOf(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap(({ body = new Uint8Array(), ...data }) => {
    const header = Buffer.alloc(512);
    new Header({ type: 'File', mode: 0o644, uid: 12_345, gid: 12_345, mtime: new Date(0), ...data, size: body.length }).encode(header);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const asPodmanExports = (content: Uint8Array = pages): Buffer => tarOf([
  { path: 'artifacts/', type: 'Directory', mode: 0o755 },
  { path: 'config.dump', body: Buffer.from('{}') },
  // As found in its archives: a folder that its owner may not enter.
  { path: 'checkpoint/', type: 'Directory', mode: 0o600 },
  { path: 'checkpoint/pages-1.img', body: content },
  { path: 'checkpoint/empty.img' },
]);

let home: string;
let dir: string;
let shelf: CheckpointShelf;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'try-it-now-shelf-'));
  dir = join(home, 'checkpoints');
  shelf = another();
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const another = (at = dir): CheckpointShelf => openShelf({ dir: at, log: silent });
async function archiveFile(content: Uint8Array = asPodmanExports(), name = `${randomBytes(4).toString('hex')}.tar`): Promise<string> {
  const file = join(home, name);
  await writeFile(file, content, { mode: 0o644 });
  return file;
}
async function added(overrides: Partial<typeof about> = {}, content?: Uint8Array): Promise<CheckpointMetadata> {
  return shelf.add(await archiveFile(content), { ...about, ...overrides });
}
/** Two files as an operator brings them from elsewhere. */
async function brought(content: Uint8Array = asPodmanExports(), name = 'checkpoint.tar', overrides: object = {}): Promise<string> {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const file = await archiveFile(content, name);
  await writeFile(join(home, 'checkpoint.json'), JSON.stringify({ format: 1, id: sha256.slice(0, 16), ...about, sizeBytes: content.length, sha256, ...overrides }));
  return file;
}
const at = (...path: string[]): string => join(dir, ...path);
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);
const hidden = async (): Promise<string[]> => [...(await readdir(at('.drafts'))), ...(await readdir(at('.unpacked')))];
/** A matcher that compares byte by byte takes seconds for this. */
async function expectContent(file: string, content: Uint8Array): Promise<void> {
  expect((await readFile(file)).equals(content), file).toBe(true);
}
async function flipOneBit(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, 300_000);
  await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 300_000);
  await handle.close();
}

describe('storing', () => {
  it('moves the archive in under an id that comes from its content', async () => {
    const content = asPodmanExports();
    const file = await archiveFile(content);
    const metadata = await shelf.add(file, about);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(metadata).toEqual({ format: 1, id: sha256.slice(0, 16), ...about, sizeBytes: content.length, sha256 });
    await expect(stat(file)).rejects.toThrow('ENOENT');
    await expectContent(at('tiny', `${metadata.id}.tar`), content);
    expect(await another().metadata(metadata.id)).toEqual(metadata);
    expect(await hidden()).toEqual([]);
  });

  it('keeps all of it from others, also under an open umask', async () => {
    const umask = process.umask(0);
    try {
      const { id } = await added();
      await shelf.open(id, fit);
      for (const folder of [dir, at('tiny'), at('.unpacked'), at('.drafts'), at('.unpacked', id), at('.unpacked', id, 'artifacts'), at('.unpacked', id, 'checkpoint')]) {
        expect(await modeOf(folder), folder).toBe('700');
      }
      for (const file of [at('tiny', `${id}.tar`), at('tiny', `${id}.json`), at('.unpacked', id, 'config.dump'), at('.unpacked', id, 'checkpoint', 'pages-1.img')]) {
        expect(await modeOf(file), file).toBe('600');
        expect((await stat(file)).uid).toBe(process.geteuid?.());
      }
    } finally {
      process.umask(umask);
    }
  });

  it('lists the newest first, and says of each broken one what it lacks', async () => {
    const content = (size: number) => asPodmanExports(randomBytes(size));
    const older = await added({ createdAt: '2026-01-01T00:00:00.000Z' }, content(10));
    const newer = await added({ createdAt: '2026-03-01T00:00:00.000Z', template: 'other' }, content(11));
    const short = await added({ createdAt: '2026-02-01T00:00:00.000Z' }, content(12));
    await truncate(at('tiny', `${short.id}.tar`), 100);
    const bare = 'f'.repeat(16);
    await writeFile(at('tiny', `${bare}.tar`), 'x');
    await utimes(at('tiny', `${bare}.tar`), 1, 1);
    await writeFile(at('tiny', 'notes.txt'), 'not ours');
    const found = await another().list();
    expect(found.map(({ id, problem }) => [id, problem === undefined])).toEqual([[newer.id, true], [short.id, false], [older.id, true], [bare, false]]);
    expect(found[1]?.problem).toContain('has 100 bytes');
    expect(found[3]).toMatchObject({ metadata: undefined, problem: expect.stringContaining(`${bare}.json is missing`) as string });
  });

  it('refuses to store what could not be unpacked, and leaves nothing of it', async () => {
    await expect(added({}, tarOf([{ path: 'checkpoint', type: 'SymbolicLink', linkpath: '/etc' }]))).rejects.toMatchObject({ code: 'checkpoint_failed' });
    await expect(added({}, Buffer.from('no archive at all'))).rejects.toMatchObject({ code: 'checkpoint_failed' });
    await expect(added({ template: '../tiny' })).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await expect(shelf.add(join(home, 'nowhere.tar'), about)).rejects.toMatchObject({ code: 'checkpoint_failed' });
    expect(await shelf.list()).toEqual([]);
    expect(await hidden()).toEqual([]);
  });

  it('removes everything of a checkpoint, once or twice, and nothing else', async () => {
    const first = await added();
    const second = await added({}, asPodmanExports(randomBytes(99)));
    for (const { id } of [first, second]) await shelf.open(id, fit);
    await shelf.remove(first.id);
    await shelf.remove(first.id);
    expect((await readdir(at('tiny'))).sort()).toEqual([`${second.id}.json`, `${second.id}.tar`]);
    expect(await hidden()).toEqual([second.id]);
    await expect(shelf.open(first.id, fit)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await shelf.open(second.id, fit);
  });

  it.each(['../../etc/passwd', '..', 'tiny/x', '', 'F'.repeat(16)])('never takes %j for an id', async (id) => {
    await writeFile(join(home, 'victim.json'), '{}');
    await expect(shelf.metadata(id)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await expect(shelf.open(id, fit)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await expect(shelf.remove(id)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
  });
});

describe('opening', () => {
  it('unpacks once, for any number of callers in any number of processes', async () => {
    const { id } = await added();
    const shelves = [shelf, another(), another()];
    const opened = await Promise.all(shelves.flatMap((one) => [one.open(id, fit), one.open(id, fit), one.open(id, fit)]));
    for (const each of opened) expect(each).toEqual({ id, folder: at('.unpacked', id), fileLocks: true });
    await expectContent(at('.unpacked', id, 'checkpoint', 'pages-1.img'), pages);
    expect(await hidden()).toEqual([id]);
    const { ino } = await stat(at('.unpacked', id));
    await another().open(id, fit);
    expect((await stat(at('.unpacked', id))).ino).toBe(ino);
  });

  it('unpacks a gzipped archive as well', async () => {
    const { id } = await added({}, gzipSync(asPodmanExports()));
    const { folder } = await shelf.open(id, fit);
    await expectContent(join(folder, 'checkpoint', 'pages-1.img'), pages);
  });

  it('refuses an archive that was cut short or changed, although it was unpacked before', async () => {
    const { id } = await added();
    await shelf.open(id, fit);
    await flipOneBit(at('tiny', `${id}.tar`));
    await expect(another().open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('SHA-256') as string });
    await truncate(at('tiny', `${id}.tar`), 400_000);
    await expect(another().open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('400000 bytes') as string });
    await rm(at('tiny', `${id}.tar`));
    await expect(another().open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('is missing') as string });
  });

  it('takes up again what was mended after it had been refused', async () => {
    const { id } = await added();
    const fresh = another();
    await flipOneBit(at('tiny', `${id}.tar`));
    await expect(fresh.open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await flipOneBit(at('tiny', `${id}.tar`));
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
    ['lies with those of tiny', async (file: string) => edit(file, { template: 'other' })],
    ['is of another checkpoint', async (file: string) => edit(file, { id: '0'.repeat(16), sha256: '0'.repeat(64) })],
  ])('refuses metadata that %s', async (what, damage) => {
    const { id } = await added();
    await damage(at('tiny', `${id}.json`));
    await expect(another().open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining(what) as string });
    expect(await another().list()).toMatchObject([{ id, problem: expect.stringContaining(what) as string }]);
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
    ['kernel 6.18.1 (here 5.10.0), architecture x86_64 (here aarch64)', { ...fit, host: { ...host, kernel: '5.10.0', arch: 'aarch64' } }],
  ])('refuses one made for %s, before anything is unpacked', async (difference, other) => {
    const { id } = await added();
    await expect(shelf.open(id, other)).rejects.toMatchObject({ code: 'checkpoint_unfit', message: expect.stringContaining(`was made for ${difference};`) as string });
    expect(await hidden()).toEqual([]);
    await shelf.open(id, { ...fit, host: { ...host, criu: '4.3', engineVersion: '5.0' } });
  });

  it('never hands out what a crash left incomplete', async () => {
    const { id } = await added();
    const { folder } = await shelf.open(id, fit);
    const image = join(folder, 'checkpoint', 'pages-1.img');
    for (const damage of [() => truncate(image, 1000), () => rm(image), () => rm(join(folder, 'checkpoint'), { recursive: true })]) {
      await damage();
      await Promise.all([another().open(id, fit), another().open(id, fit)]);
      await expectContent(image, pages);
    }
    await rm(image);
    await symlink('/etc/passwd', image);
    await another().open(id, fit);
    await expectContent(image, pages);
    expect(await hidden()).toEqual([id]);
  });

  it('unpacks again when another process removed it and somebody put it back', async () => {
    const { id } = await added();
    await shelf.open(id, fit);
    const copy = join(home, 'copy.tar');
    await copyFile(at('tiny', `${id}.tar`), copy);
    await another().remove(id);
    await expect(shelf.open(id, fit)).rejects.toMatchObject({ code: 'unknown_checkpoint' });
    await another().add(copy, about);
    const { folder } = await shelf.open(id, fit);
    await expectContent(join(folder, 'checkpoint', 'pages-1.img'), pages);
  });
});

describe('taking in archives from elsewhere', () => {
  it.each([['checkpoint.tar', asPodmanExports()], ['checkpoint.tar.gz', gzipSync(asPodmanExports())]])('copies %s in with what is beside it, once', async (name, content) => {
    const file = await brought(content, name);
    const metadata = await shelf.adopt(file);
    const { ino } = await stat(at('tiny', `${metadata.id}.tar`));
    expect(await modeOf(at('tiny', `${metadata.id}.tar`))).toBe('600');
    expect(await another().adopt(file)).toEqual(metadata);
    expect((await stat(at('tiny', `${metadata.id}.tar`))).ino).toBe(ino);
    await expectContent(file, content);
    await shelf.open(metadata.id, fit);
    expect(await hidden()).toEqual([metadata.id]);
  });

  it('takes one that lies on the shelf itself', async () => {
    const metadata = await added();
    expect(await another().adopt(at('tiny', `${metadata.id}.tar`))).toEqual(metadata);
  });

  it('mends what is damaged on the shelf', async () => {
    const file = await brought();
    const { id } = await shelf.adopt(file);
    await flipOneBit(at('tiny', `${id}.tar`));
    const fresh = another();
    await expect(fresh.open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await fresh.adopt(file);
    await fresh.open(id, fit);
    await rm(at('tiny', `${id}.json`));
    await another().adopt(file);
    await another().open(id, fit);
  });

  it('refuses what is not as its metadata says, also when the shelf has the sound one', async () => {
    const file = await brought();
    await flipOneBit(file);
    await expect(shelf.adopt(file)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    expect(await shelf.list()).toEqual([]);
    await flipOneBit(file);
    await shelf.adopt(file);
    await truncate(file, 5000);
    await expect(shelf.adopt(file)).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('5000 bytes') as string });
    expect((await hidden()).length).toBe(0);
  });

  it('refuses files that are missing, misnamed or of a template that cannot be', async () => {
    const file = await brought(undefined, undefined, { template: '../../escape' });
    await expect(shelf.adopt(file)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    await expect(shelf.adopt(join(home, 'checkpoint.zip'))).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('.tar.gz') as string });
    await rm(join(home, 'checkpoint.json'));
    await expect(shelf.adopt(file)).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('checkpoint.json is missing') as string });
    await rm(await brought());
    await expect(shelf.adopt(join(home, 'checkpoint.tar'))).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('checkpoint.tar is missing') as string });
    await rm(join(home, 'checkpoint.json'));
    await added();
    await expect(shelf.adopt(await brought(undefined, undefined, { template: 'other' }))).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringContaining('of template tiny') as string });
  });

  it.each<[string, readonly Entry[]]>([
    ['absolute name', [{ path: '/tmp/try-it-now-escaped', body: Buffer.from('x') }]],
    ['name that climbs', [{ path: 'checkpoint/../../../escaped', body: Buffer.from('x') }]],
    ['symbolic link', [{ path: 'checkpoint', type: 'SymbolicLink', linkpath: '/etc' }, { path: 'checkpoint/passwd', body: Buffer.from('x') }]],
    ['hard link', [{ path: 'stolen', type: 'Link', linkpath: '/etc/shadow' }]],
    ['device', [{ path: 'sda', type: 'BlockDevice' }]],
    ['named pipe', [{ path: 'pipe', type: 'FIFO' }]],
  ])('refuses an archive that has a hostile entry (%s), however well its checksum fits', async (_, hostile) => {
    const content = Buffer.concat([asPodmanExports().subarray(0, -1024), tarOf(hostile)]);
    await expect(shelf.adopt(await brought(content))).rejects.toMatchObject({ code: 'checkpoint_damaged', message: expect.stringMatching(/its entry ".*" (leads out|is neither)/) as string });
    // Nor when somebody put both files there by hand.
    const metadata = await added({}, asPodmanExports(randomBytes(20)));
    const sha256 = createHash('sha256').update(content).digest('hex');
    const id = sha256.slice(0, 16);
    await writeFile(at('tiny', `${id}.tar`), content);
    await writeFile(at('tiny', `${id}.json`), JSON.stringify({ ...metadata, id, sha256, sizeBytes: content.length }));
    await expect(shelf.open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
    expect(await hidden()).toEqual([]);
  });
});

describe('the folder', () => {
  it('is closed to others when it was there, empty and open', async () => {
    await mkdir(at('.drafts'), { recursive: true });
    await chmod(dir, 0o755);
    await shelf.list();
    expect(await modeOf(dir)).toBe('700');
  });

  it('is refused, and left as it is, when it is open to others and holds anything', async () => {
    await mkdir(dir);
    await writeFile(at('somebody-elses'), '');
    await chmod(dir, 0o755);
    await expect(shelf.list()).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringContaining('chmod 700') as string });
    expect(await modeOf(dir)).toBe('755');
    await chmod(dir, 0o700);
    expect(await shelf.list()).toEqual([]);
  });

  it('has its folders closed when one was opened to others since', async () => {
    const { id } = await added();
    await chmod(at('tiny'), 0o755);
    await chmod(at('.unpacked'), 0o777);
    await chmod(at('tiny', `${id}.tar`), 0o644);
    await another().open(id, fit);
    expect([await modeOf(at('tiny')), await modeOf(at('.unpacked')), await modeOf(at('tiny', `${id}.tar`))]).toEqual(['700', '700', '600']);
  });

  it('is cleared of what dead processes left, not of what living ones are making', async () => {
    const { id } = await added();
    const fields = readFileSync('/proc/self/stat', 'utf8');
    const startTime = fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    const hex = '0'.repeat(16);
    const alive = `${process.pid}-${startTime}-${hex}`;
    const dead = [`${process.pid}-1-${hex}`, `999999999-${startTime}-${hex}`];
    for (const name of [alive, ...dead]) {
      await mkdir(at('.unpacked', `.${name}`, 'checkpoint'), { recursive: true });
      await writeFile(at('.drafts', name), 'memory');
    }
    await writeFile(at('.drafts', 'killed.tar'), 'memory');
    await utimes(at('.drafts', 'killed.tar'), 1, 1);
    await writeFile(at('.drafts', 'in-the-making.tar'), 'memory');
    await mkdir(at('.unpacked', 'e'.repeat(16)));
    await shelf.open(id, fit);
    await another().list();
    expect((await readdir(at('.drafts'))).sort()).toEqual([alive, 'in-the-making.tar']);
    expect((await readdir(at('.unpacked'))).sort()).toEqual([`.${alive}`, id].sort());
  });

  it('says when its disk is full, and leaves nothing half done', async (context) => {
    const small = join(home, 'small');
    await mkdir(small);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', small]).then(() => undefined, (error: unknown) => String(error));
    context.skip(mounted !== undefined, `a small file system cannot be mounted here: ${mounted ?? ''}`);
    try {
      const tight = another(small);
      // Another file system, so it is copied; the original goes when the copy is safe.
      const file = await archiveFile();
      const { id } = await tight.add(file, about);
      await expect(stat(file)).rejects.toThrow('ENOENT');
      await expect(tight.open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_failed', message: expect.stringContaining('no space is left') as string });
      expect(await readdir(join(small, '.unpacked'))).toEqual([]);

      const second = await brought(asPodmanExports(randomBytes(600_000)));
      await expect(tight.adopt(second)).rejects.toMatchObject({ code: 'checkpoint_failed', message: expect.stringContaining('no space is left') as string });
      await expect(tight.add(second, about)).rejects.toMatchObject({ code: 'checkpoint_failed' });
      expect(await readdir(join(small, '.drafts'))).toEqual([]);
      expect((await tight.list()).map((each) => [each.id, each.problem])).toEqual([[id, undefined]]);
      await stat(second);
    } finally {
      await run('umount', [small]);
    }
  });
});

it('leaves an archive without metadata, not metadata without an archive, when it is killed in between', async () => {
  const { id } = await added();
  // The state between the two renames of an addition.
  await rename(at('tiny', `${id}.json`), at('.drafts', 'x.json'));
  await expect(another().open(id, fit)).rejects.toMatchObject({ code: 'checkpoint_damaged' });
  await shelf.add(await archiveFile(), about);
  await another().open(id, fit);
});
