import type { Redis as Valkey } from 'iovalkey';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clock } from '../domain/clock.ts';
import type { ImagePull, PulledImage, PulledImages } from '../pool/interfaces/pulled-images.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { parseVersioned } from './versioned.ts';

/** Raised when an entry's shape changes; one of another version is skipped. */
const VERSION = 1;
const IMAGE = 'image ';
/** `also <id> <name>`: a field of its own, so that names that come at the same time all stay. */
const ALSO = 'also ';
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
          ? [withNames(field.slice(IMAGE.length), value, entries)]
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
      const entry = JSON.stringify({ v: VERSION, name: pull.name, atMs: this.#clock.now() });
      if (!pull.present.includes(id)) await this.#client.hsetnx(this.#key, IMAGE + id, entry);
      const noted = await this.#client.hget(this.#key, IMAGE + id);
      const first = noted === null ? undefined : parseVersioned(noted);
      // One that has come by another name of ours: the engine has it under both from now on.
      if (images.Check(first) && first.name !== pull.name)
        await this.#client.hset(this.#key, `${ALSO}${id} ${pull.name}`, entry);
      // Last, so that whoever dies before leaves a pull that is settled later.
      await this.#client.hdel(this.#key, field);
    });
  }

  async giveUp(reference: string): Promise<void> {
    await this.#ask(() => this.#client.hdel(this.#key, PULL + reference));
  }

  async forget({ id, names }: PulledImage): Promise<void> {
    const also = names.map((name) => `${ALSO}${id} ${name}`);
    await this.#ask(() => this.#client.hdel(this.#key, IMAGE + id, ...also));
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

function withNames(
  id: string,
  { name, atMs }: { readonly name: string; readonly atMs: number },
  entries: readonly (readonly [string, string])[],
): PulledImage {
  const start = `${ALSO}${id} `;
  const also = entries.flatMap(([field]) => (field.startsWith(start) ? [field.slice(start.length)] : []));
  return { id, names: [name, ...also], atMs };
}

function readPull(reference: string, text: string): ImagePull | undefined {
  const value = parseVersioned(text);
  return pulls.Check(value) ? { reference, name: value.name, present: value.present, atMs: value.atMs } : undefined;
}
