import type { Redis as Valkey } from 'iovalkey';
import { Compile } from 'typebox/compile';
import { OutboxEntry } from '../domain/visit-event.ts';
import type { EventOutbox, OutboxState, StoredEntry } from '../pool/interfaces/event-outbox.ts';
import type { Turn } from '../pool/interfaces/turn.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

const validator = Compile(OutboxEntry);

/** The scripts that change something write into it (`write_event`, `write_image_event` in lua/prelude.lua). */
export class ValkeyEventOutbox implements EventOutbox {
  readonly #client: Valkey;
  readonly #turn: Turn;

  constructor(client: Valkey, turn: Turn) {
    this.#client = client;
    this.#turn = turn;
  }

  async limit(entries: number): Promise<void> {
    if (entries === 0) {
      await this.#ask(() => this.#client.unlink(keys.eventSettings, keys.eventOutbox));
      return;
    }
    // What waits is published also while Valkey takes nothing new, as without memory.
    const before = await this.#ask(() => this.#client.hget(keys.eventSettings, 'limit'));
    if (before !== String(entries)) await this.#ask(() => this.#client.hset(keys.eventSettings, 'limit', entries));
  }

  takeTurn(forMs: number): Promise<boolean> {
    return this.#turn.take(forMs);
  }

  get hasTurn(): boolean {
    return this.#turn.held;
  }

  async read(count: number): Promise<readonly StoredEntry[]> {
    const found = await this.#ask(() => this.#client.xrange(keys.eventOutbox, '-', '+', 'COUNT', count));
    return found.map(([key, fields]) => ({ key, entry: parseEntry(fields[fields.indexOf('event') + 1]) }));
  }

  async forget(upTo: string): Promise<void> {
    await this.#ask(() => this.#client.xtrim(keys.eventOutbox, 'MINID', '=', after(upTo)));
  }

  async state(): Promise<OutboxState> {
    const [waiting, settings, oldest] = await this.#ask(() =>
      Promise.all([
        this.#client.xlen(keys.eventOutbox),
        this.#client.hmget(keys.eventSettings, 'limit', 'dropped'),
        this.#client.xrange(keys.eventOutbox, '-', '+', 'COUNT', 1),
      ]),
    );
    const [limit, dropped] = settings.map((text) => Number(text ?? 0) || 0);
    const oldestKey = oldest[0]?.[0];
    return {
      waiting,
      limit: limit ?? 0,
      dropped: dropped ?? 0,
      oldestAtMs: oldestKey === undefined ? undefined : Number(oldestKey.split('-')[0]),
    };
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** The id that comes next after this one. */
function after(key: string): string {
  const [ms = '0', sequence = '0'] = key.split('-');
  return `${ms}-${BigInt(sequence) + 1n}`;
}

function parseEntry(text: string | undefined): OutboxEntry | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return validator.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
