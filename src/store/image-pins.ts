import type { Redis as Valkey } from 'iovalkey';
import { Compile } from 'typebox/compile';
import { IMAGE_PIN_VERSION, ImagePin, type FoundImage } from '../domain/image-pin.ts';
import type { ImagePins } from '../pool/interfaces/image-pins.ts';
import { storeError } from './client.ts';
import { IMAGE_UPDATE_KEPT_MS } from './image-updates.ts';
import { keys } from './keys.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import { parseVersioned } from './versioned.ts';

/** A name whose template is off the catalogue for less than this comes back as it was. */
const UNUSED_LIFE_MS = 30 * 24 * 3_600_000;

const validator = Compile(ImagePin);

export class ValkeyImagePins implements ImagePins {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #node: string;

  constructor(client: Valkey, scripts: Scripts, node: string) {
    this.#client = client;
    this.#scripts = scripts;
    this.#node = node;
  }

  async of(names: readonly string[]): Promise<ReadonlyMap<string, ImagePin>> {
    if (names.length === 0) return new Map();
    let texts;
    try {
      texts = await this.#client.hmget(keys.imagePins, ...names);
    } catch (error) {
      throw storeError(error);
    }
    return new Map(
      names.flatMap((name, at): [string, ImagePin][] => {
        const pin = readImagePin(texts[at] ?? '');
        return pin === undefined ? [] : [[name, pin]];
      }),
    );
  }

  async agree(
    { name, id, digest }: FoundImage,
    { decides, triedFirst }: Parameters<ImagePins['agree']>[1],
  ): Promise<ImagePin | undefined> {
    const pin: ImagePin = {
      v: IMAGE_PIN_VERSION,
      id,
      ...(digest === undefined ? {} : { digest }),
      node: this.#node,
    };
    const reply = await this.#scripts.run(
      'agree-on-image',
      [keys.imagePins, keys.imageSeen(this.#node), keys.imageUpdate(name)],
      [name, id, decides ? FLAG.YES : FLAG.NO, JSON.stringify(pin), triedFirst ? FLAG.YES : FLAG.NO],
    );
    return readImagePin(String(reply));
  }

  async usedWithin(ms: number): Promise<readonly string[]> {
    try {
      // By the clock that wrote it down.
      const [seconds] = await this.#client.time();
      return await this.#client.zrange(keys.imagePinsUsed, Number(seconds) * 1_000 - ms, '+inf', 'BYSCORE');
    } catch (error) {
      throw storeError(error);
    }
  }

  async keep(names: readonly string[]): Promise<void> {
    await this.#scripts.run(
      'keep-image-pins',
      [keys.imagePins, keys.imagePinsUsed, keys.imageSeen(this.#node), ...names.map((name) => keys.imageUpdate(name))],
      [UNUSED_LIFE_MS, IMAGE_UPDATE_KEPT_MS, ...names],
    );
  }
}

/** Undefined for none that this version knows. */
export function readImagePin(text: string): ImagePin | undefined {
  const value: unknown = parseVersioned(text);
  return validator.Check(value) ? value : undefined;
}
