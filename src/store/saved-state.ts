import type { Redis as Valkey } from 'iovalkey';
import type { SavedKey, SavedState } from '../pool/interfaces/saved-state.ts';
import { storeError } from './client.ts';
import { readImagePin } from './image-pins.ts';
import { keys } from './keys.ts';
import { isSaved, savedKeys } from './own-keys.ts';

const ENTRIES_A_COMMAND = 500;

/** What operators decided and what was counted, as a backup saves it. */
export class ValkeySavedState implements SavedState {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  isSaved({ key, type }: SavedKey): boolean {
    return isSaved(key, type);
  }

  names(): Promise<readonly string[]> {
    return savedKeys(this.#client);
  }

  async read(): Promise<readonly SavedKey[]> {
    const names = await this.names();
    try {
      const found = await Promise.all(names.map((name) => this.#readOne(name)));
      return [...found.flatMap((each) => each ?? []), ...(await this.#pins(names))];
    } catch (error) {
      throw storeError(error);
    }
  }

  async replace(saved: readonly SavedKey[]): Promise<void> {
    const names = await this.names();
    const change = this.#client.multi();
    if (names.length > 0) change.unlink(...names);
    for (const { key, type, endsAtMs, entries } of saved) {
      for (let at = 0; at < entries.length; at += ENTRIES_A_COMMAND) {
        const some = entries.slice(at, at + ENTRIES_A_COMMAND);
        if (type === 'hash') change.hset(key, ...some.flat());
        else for (const [id = '*', ...fields] of some) change.xadd(key, id, ...fields);
      }
      if (endsAtMs !== undefined) change.pexpireat(key, endsAtMs);
    }
    try {
      // One that the server refuses fails all of them, or is at least told of.
      for (const [error] of (await change.exec()) ?? []) if (error !== null) throw error;
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * What images stand for that are tried first: without it another host would begin with what their names lead to
   * there, also if that was refused. One that has no digest no other host could fetch.
   */
  async #pins(saved: readonly string[]): Promise<readonly SavedKey[]> {
    const pins = Object.entries(await this.#client.hgetall(keys.imagePins));
    const entries = pins.filter(
      ([name, text]) => saved.includes(keys.imageUpdate(name)) && readImagePin(text)?.digest !== undefined,
    );
    return entries.length === 0 ? [] : [{ key: keys.imagePins, type: 'hash', entries }];
  }

  /** Undefined for one that ended meanwhile. */
  async #readOne(key: string): Promise<SavedKey | undefined> {
    const [type, endsInMs] = [await this.#client.type(key), await this.#client.pttl(key)];
    const endsAt = endsInMs > 0 ? { endsAtMs: Date.now() + endsInMs } : {};
    if (type === 'hash') return { key, type, ...endsAt, entries: Object.entries(await this.#client.hgetall(key)) };
    if (type !== 'stream') return undefined;
    const found = await this.#client.xrange(key, '-', '+');
    return { key, type, ...endsAt, entries: found.map(([id, fields]) => [id, ...fields]) };
  }
}
