import type { Redis as Valkey } from 'iovalkey';
import Value from 'typebox/value';
import { PoolSample } from '../domain/pool-sample.ts';
import type { PoolHistory } from '../pool/interfaces/pool-history.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { parseVersioned } from './versioned.ts';

/** Half an hour of samples, one every ten seconds: about 20 KB. */
const KEPT = 180;
const KEPT_MS = 30 * 60_000;

/** A capped list for each template, which ends by itself when nobody writes to it any more. */
export class ValkeyPoolHistory implements PoolHistory {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async record(template: string, sample: PoolSample): Promise<void> {
    const key = keys.poolHistory(template);
    try {
      await this.#client
        .multi()
        .lpush(key, JSON.stringify(sample))
        .ltrim(key, 0, KEPT - 1)
        .pexpire(key, KEPT_MS)
        .exec();
    } catch (error) {
      throw storeError(error);
    }
  }

  async recent(template: string): Promise<readonly PoolSample[]> {
    try {
      const found = await this.#client.lrange(keys.poolHistory(template), 0, -1);
      return found
        .flatMap((text): PoolSample[] => {
          const value: unknown = parseVersioned(text);
          return Value.Check(PoolSample, value) ? [value] : [];
        })
        .reverse();
    } catch (error) {
      throw storeError(error);
    }
  }
}
