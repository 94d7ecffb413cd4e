import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Header, type HeaderData } from 'tar';
import { openCheckpointRepository } from '../../src/checkpoints/repository.ts';
import type { CheckpointHost, CheckpointMetadata } from '../../src/domain/checkpoint.ts';
import type { CheckpointRepository } from '../../src/pool/interfaces/checkpoint-repository.ts';
import { silent } from './store.ts';

export const host: CheckpointHost = {
  imageId: 'sha256:1f',
  kernel: '6.18.1',
  arch: 'x86_64',
  engine: 'podman',
  engineVersion: '4.3.1',
  criu: '4.2',
};
export const about = {
  template: 'tiny',
  templateVersion: 'v1',
  host,
  fileLocks: true,
  createdAt: '2026-01-02T03:04:05.000Z',
};
export const fit = { template: 'tiny', templateVersion: 'v1', host };
export const pages = randomBytes(700_000);

export type TarEntry = HeaderData & { readonly path: string; readonly body?: Uint8Array };

/** An archive as it may come from anybody, which no sound program would write. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(({ body = new Uint8Array(), ...data }) => {
    const header = Buffer.alloc(512);
    new Header({
      type: 'File',
      mode: 0o644,
      uid: 12_345,
      gid: 12_345,
      mtime: new Date(0),
      ...data,
      size: body.length,
    }).encode(header);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export function asPodmanExports(content: Uint8Array = pages): Buffer {
  return tarOf([
    { path: 'artifacts/', type: 'Directory', mode: 0o755 },
    { path: 'config.dump', body: Buffer.from('{}') },
    // As found in its archives: a folder that its owner may not enter.
    { path: 'checkpoint/', type: 'Directory', mode: 0o600 },
    { path: 'checkpoint/pages-1.img', body: content },
    { path: 'checkpoint/empty.img' },
  ]);
}

export const sha256Of = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

export const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);

/** A matcher that compares byte by byte takes seconds for the pages. */
export const hasContent = async (file: string, content: Uint8Array): Promise<boolean> =>
  (await readFile(file)).equals(content);

export async function flipOneBit(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, 300_000);
  await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 300_000);
  await handle.close();
}

/** A checkpoint repository in a temporary folder, with room beside it for what is brought to it. */
export class RepositoryInFolder implements AsyncDisposable {
  readonly home: string;
  readonly dir: string;
  readonly checkpointRepository: CheckpointRepository;

  private constructor(home: string) {
    this.home = home;
    this.dir = join(home, 'checkpoints');
    this.checkpointRepository = this.another();
  }

  static async make(): Promise<RepositoryInFolder> {
    return new RepositoryInFolder(await mkdtemp(join(tmpdir(), 'try-it-now-checkpoints-')));
  }

  /** As another process opens it, or the same one after a restart. */
  another(dir = this.dir): CheckpointRepository {
    return openCheckpointRepository({ dir, log: silent });
  }

  at(...path: string[]): string {
    return join(this.dir, ...path);
  }

  async archiveFile(
    content: Uint8Array = asPodmanExports(),
    name = `${randomBytes(4).toString('hex')}.tar`,
  ): Promise<string> {
    const file = join(this.home, name);
    await writeFile(file, content, { mode: 0o644 });
    return file;
  }

  async added(
    overrides: Partial<Parameters<CheckpointRepository['add']>[1]> = {},
    content?: Uint8Array,
  ): Promise<CheckpointMetadata> {
    return this.checkpointRepository.add(await this.archiveFile(content), { ...about, ...overrides });
  }

  /** Two files as an operator brings them from elsewhere. */
  async brought(
    content: Uint8Array = asPodmanExports(),
    name = 'checkpoint.tar',
    overrides: object = {},
  ): Promise<string> {
    const sha256 = sha256Of(content);
    const file = await this.archiveFile(content, name);
    await writeFile(
      join(this.home, 'checkpoint.json'),
      JSON.stringify({ format: 1, id: sha256.slice(0, 16), ...about, sizeBytes: content.length, sha256, ...overrides }),
    );
    return file;
  }

  /** Everything in progress, and everything unpacked. */
  async hidden(): Promise<string[]> {
    return [...(await readdir(this.at('.drafts'))), ...(await readdir(this.at('.unpacked')))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
