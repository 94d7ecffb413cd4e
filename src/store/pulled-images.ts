import type { Redis as Valkey } from 'iovalkey';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clock } from '../domain/clock.ts';
import type { ImagePull, PulledImages } from '../pool/interfaces/pulled-images.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { parseVersioned } from './versioned.ts';

/** Raised when an entry's shape changes; one of another version is skipped. */
const VERSION = 1;
const IMAGE = 'image ';
const PULL = 'pull ';

const Entry = { v: Type.Literal(VERSION), name: Type.String(), atMs: Type.Integer({ minimum: 0 }) };
const images = Compile(Type.Object(Entry));
const pulls = Compile(Type.Object({ ...Entry, present: Type.Array(Type.String()) }));

export class ValkeyPulledImages implements PulledImages {
  readonly #client: Valkey;
  readonly #key: string;
  readonly #clock: Clock;

  constructor(client: Valkey, node: string, clock: Clock) {
    this.#client = client;
    this.#key = keys.pulledImages(node);
    this.#clock = clock;
  }

  async read(): ReturnType<PulledImages['read']> {
    const entries = Object.entries(await this.#ask(() => this.#client.hgetall(this.#key)));
    return {
      images: entries.flatMap(([field, text]) => {
        const value = parseVersioned(text);
        return field.startsWith(IMAGE) && images.Check(value)
          ? [{ id: field.slice(IMAGE.length), name: value.name, atMs: value.atMs }]
          : [];
      }),
      pulls: entries.flatMap(([field, text]) => {
        const pull = field.startsWith(PULL) ? readPull(field.slice(PULL.length), text) : undefined;
        return pull === undefined ? [] : [pull];
      }),
    };
  }

  async begin({ reference, name, present }: Omit<ImagePull, 'atMs'>): Promise<void> {
    const text = JSON.stringify({ v: VERSION, name, atMs: this.#clock.now(), present });
    await this.#ask(() => this.#client.hsetnx(this.#key, PULL + reference, text));
  }

  async end(reference: string, id: string): Promise<void> {
    const field = PULL + reference;
    const text = await this.#ask(() => this.#client.hget(this.#key, field));
    const pull = text === null ? undefined : readPull(reference, text);
    // Another process has said so already.
    if (pull === undefined) return;
    await this.#ask(async () => {
      const transaction = this.#client.multi();
      if (!pull.present.includes(id)) {
        const entry = JSON.stringify({ v: VERSION, name: pull.name, atMs: this.#clock.now() });
        transaction.hset(this.#key, IMAGE + id, entry);
      }
      await transaction.hdel(this.#key, field).exec();
    });
  }

  async giveUp(reference: string): Promise<void> {
    await this.#ask(() => this.#client.hdel(this.#key, PULL + reference));
  }

  async forget(id: string): Promise<void> {
    await this.#ask(() => this.#client.hdel(this.#key, IMAGE + id));
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

function readPull(reference: string, text: string): ImagePull | undefined {
  const value = parseVersioned(text);
  return pulls.Check(value) ? { reference, name: value.name, present: value.present, atMs: value.atMs } : undefined;
}
