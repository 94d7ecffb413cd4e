import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { isCheckpointId } from '../domain/ids.ts';
import { closedByUnit } from '../lifecycle/closed-by-unit.ts';
import type { CheckpointShare, Transfer } from '../pool/interfaces/checkpoint-share.ts';
import { hasCode, syncOne } from './unpack.ts';

const PIECE_BYTES = 1024 * 1024;
/** Of one that is being written. */
const DRAFT = /^\.[0-9a-f]{16}$/;
/** Nobody writes for so long at one without a word. */
const FORGOTTEN_AFTER_MS = 3_600_000;

/** A folder that all hosts have mounted, such as by NFS. It is theirs alone: it holds the memory of processes. */
export function sharedFolder(folder: string): CheckpointShare {
  return new SharedFolder(folder);
}

class SharedFolder implements CheckpointShare {
  readonly name: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.name = `the folder ${folder}`;
    this.#folder = folder;
  }

  list(): Promise<ReadonlyMap<string, number>> {
    return this.#used('be read', async () => {
      const found = new Map<string, number>();
      for (const file of await readdir(this.#folder)) {
        const path = join(this.#folder, file);
        const id = file.replace(/\.tar$/, '');
        if (file.endsWith('.tar') && isCheckpointId(id)) found.set(id, (await stat(path)).size);
      }
      return found;
    });
  }

  put(id: string, archive: string, transfer: Transfer): Promise<void> {
    return this.#used(`take ${id}`, async () => {
      const draft = join(this.#folder, `.${randomBytes(8).toString('hex')}`);
      try {
        await copy(archive, draft, transfer);
        await rename(draft, this.#archive(id));
        await syncOne(this.#folder);
      } finally {
        await rm(draft, { force: true });
      }
    });
  }

  fetch(id: string, file: string, transfer: Transfer): Promise<void> {
    return this.#used(`give ${id}`, async () => {
      const archive = this.#archive(id);
      if ((await stat(archive).catch(() => undefined)) === undefined)
        throw new TryItNowError('unknown_checkpoint', `The checkpoint ${id} is not in ${this.name}`);
      await copy(archive, file, transfer);
    });
  }

  tidy(): Promise<void> {
    return this.#used('be read', async () => {
      const drafts = (await readdir(this.#folder)).filter((file) => DRAFT.test(file));
      for (const draft of drafts) await removeForgotten(join(this.#folder, draft));
    });
  }

  remove(id: string): Promise<void> {
    return this.#used(`have ${id} removed`, () => rm(this.#archive(id), { force: true }));
  }

  #archive(id: string): string {
    return join(this.#folder, `${id}.tar`);
  }

  async #used<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      const { mode } = await stat(this.#folder);
      if ((mode & 0o077) !== 0)
        throw new Error(`others may enter it (mode ${(mode & 0o7777).toString(8)}); run chmod 700 ${this.#folder}`);
      return await work();
    } catch (error) {
      if (error instanceof TryItNowError) throw error;
      const reason = hasCode(error, 'ENOENT') ? 'it is not there; is it mounted?' : describeError(error);
      const hint = closedByUnit(error, this.#folder);
      throw new TryItNowError('checkpoint_share_unavailable', `${this.name} could not ${what}: ${reason}${hint}`, {
        cause: error,
      });
    }
  }
}

async function copy(from: string, to: string, { onBytes, signal }: Transfer): Promise<void> {
  let copied = 0;
  const count = new Transform({
    transform(piece: Buffer, _encoding, done) {
      copied += piece.length;
      onBytes(copied);
      done(null, piece);
    },
  });
  const source = createReadStream(from, { highWaterMark: PIECE_BYTES });
  await pipeline(source, count, createWriteStream(to, { flags: 'wx', mode: 0o600 }), { signal });
  await syncOne(to);
}

async function removeForgotten(draft: string): Promise<void> {
  const found = await stat(draft).catch(() => undefined);
  if (found !== undefined && Date.now() - found.mtimeMs > FORGOTTEN_AFTER_MS) await rm(draft, { force: true });
}
