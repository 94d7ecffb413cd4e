import type { Redis as Valkey } from 'iovalkey';
import type { RememberedHarm } from '../domain/harm.ts';
import type { HarmMemory } from '../pool/interfaces/harm-memory.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import type { Scripts } from './scripts.ts';

const SCAN_COUNT = 1_000;
/** Of whom it is asked at once. */
const BATCH = 200;

type Reply = readonly [ends: number, pausedUntilMs: number, forgottenAtMs: number];

/** A string for each, which ends by itself; release.lua writes them, claim.lua asks. */
export class ValkeyHarmMemory implements HarmMemory {
  readonly #client: Valkey;
  readonly #scripts: Scripts;

  constructor(client: Valkey, scripts: Scripts) {
    this.#client = client;
    this.#scripts = scripts;
  }

  async list(): Promise<readonly RememberedHarm[]> {
    const prefix = keys.harm('');
    const names = [...(await this.#scan(`${prefix}*`))];
    const found: RememberedHarm[] = [];
    for (let from = 0; from < names.length; from += BATCH) {
      const batch = names.slice(from, from + BATCH);
      const replies = (await this.#scripts.run('harm', batch, [])) as readonly Reply[];
      for (const [at, [ends, pausedUntilMs, forgottenAtMs]] of replies.entries())
        if (ends > 0)
          found.push({
            who: (batch[at] ?? '').slice(prefix.length),
            ends,
            pausedUntilMs: pausedUntilMs === 0 ? undefined : pausedUntilMs,
            forgottenAtMs,
          });
    }
    return found.sort((a, b) => b.ends - a.ends || b.forgottenAtMs - a.forgottenAtMs);
  }

  async forget(who: string): Promise<boolean> {
    try {
      return (await this.#client.del(keys.harm(who))) === 1;
    } catch (error) {
      throw storeError(error);
    }
  }

  async #scan(pattern: string): Promise<ReadonlySet<string>> {
    const names = new Set<string>();
    let cursor = '0';
    try {
      do {
        const [next, found] = await this.#client.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
        for (const name of found) names.add(name);
        cursor = next;
      } while (cursor !== '0');
    } catch (error) {
      throw storeError(error);
    }
    return names;
  }
}
