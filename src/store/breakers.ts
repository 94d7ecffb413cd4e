import type { Redis as Valkey } from 'iovalkey';
import type { BreakerStatus, Breakers } from '../pool/interfaces/breakers.ts';
import { FAILURES_TO_OPEN } from './provisioning-store.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { LONGEST_PAUSE_MS, storedNumber } from './stored-number.ts';

/** Reads only; ProvisioningStore opens and closes them. */
export class ValkeyBreakers implements Breakers {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async read(templates: readonly string[]): Promise<ReadonlyMap<string, BreakerStatus>> {
    try {
      // Sent together, so the store's clock is read next to what it is compared with.
      const [[seconds], found] = await Promise.all([
        this.#client.time(),
        Promise.all(
          templates.map((template) =>
            this.#client.hmget(keys.refillPause(template), 'failures', 'until_ms', 'unhealthy'),
          ),
        ),
      ]);
      const nowMs = Number(seconds) * 1000;
      return new Map(
        templates.map((template, index) => {
          const [failures = 0, untilMs = 0, unhealthy = 0] = (found[index] ?? []).map(storedNumber);
          const pauseMs = untilMs <= nowMs + LONGEST_PAUSE_MS ? Math.max(0, untilMs - nowMs) : 0;
          return [template, { open: failures >= FAILURES_TO_OPEN, failures, pauseMs, unhealthy }];
        }),
      );
    } catch (error) {
      throw storeError(error);
    }
  }
}
