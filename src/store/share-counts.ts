import type { Redis as Valkey } from 'iovalkey';
import Value from 'typebox/value';
import type { Clock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import { Suspect } from '../domain/suspect.ts';
import type { ShareCounts } from '../pool/interfaces/share-counts.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import type { Scripts } from './scripts.ts';
import { storedNumber } from './stored-number.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How many minutes count as the last ones. */
const MINUTES = 10;
/** Some 500 kB each. */
const MOST_FIELDS = 5_000;
const MOST_SUSPECTS = 100;

/** A hash for each minute, which ends by itself, and one of who was found. The clock only says which minute it is. */
export class ValkeyShareCounts implements ShareCounts {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(client: Valkey, scripts: Scripts, clock: Clock, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#clock = clock;
    this.#log = log;
  }

  async add(counts: ReadonlyMap<string, number>): Promise<void> {
    const args = [...counts].flat();
    const keptMs = (MINUTES + 1) * MINUTE_MS;
    await this.#scripts.run('count-shares', [keys.shares(this.#minute())], [MOST_FIELDS, keptMs, ...args]);
  }

  async recent(): Promise<ReadonlyMap<string, number>> {
    const minute = this.#minute();
    const sums = new Map<string, number>();
    const found = await this.#ask(() =>
      Promise.all(Array.from({ length: MINUTES }, (_, back) => this.#client.hgetall(keys.shares(minute - back)))),
    );
    for (const counts of found)
      for (const [field, text] of Object.entries(counts))
        sums.set(field, (sums.get(field) ?? 0) + (storedNumber(text) ?? 0));
    return sums;
  }

  async suspects(): Promise<readonly Suspect[]> {
    const found = await this.#ask(() => this.#client.hgetall(keys.suspects));
    const since = this.#clock.now() - DAY_MS;
    const suspects = Object.values(found)
      .flatMap((text) => this.#parsed(text))
      .sort((a, b) => b.lastMs - a.lastMs);
    const kept = suspects.filter(({ lastMs }, at) => lastMs >= since && at < MOST_SUSPECTS);
    const over = suspects.filter((suspect) => !kept.includes(suspect)).map(fieldOf);
    if (over.length > 0) await this.#ask(() => this.#client.hdel(keys.suspects, ...over));
    return kept;
  }

  async note(suspects: readonly Suspect[]): Promise<void> {
    if (suspects.length === 0) return;
    const entries = suspects.map((suspect): [string, string] => [fieldOf(suspect), JSON.stringify(suspect)]);
    await this.#ask(() =>
      this.#client.multi().hset(keys.suspects, Object.fromEntries(entries)).pexpire(keys.suspects, DAY_MS).exec(),
    );
  }

  #minute(): number {
    return Math.floor(this.#clock.now() / MINUTE_MS);
  }

  /** What is damaged or of another version is told to the log and left alone. */
  #parsed(text: string): Suspect[] {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    if (Value.Check(Suspect, value)) return [value];
    this.#log.debug({ suspect: text.slice(0, 200) }, 'Skipped a suspect that cannot be read');
    return [];
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

function fieldOf({ kind, who }: Suspect): string {
  return `${kind} ${who}`;
}
