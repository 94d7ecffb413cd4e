import { sleep } from '../../../src/lifecycle/sleep.ts';
import type { Entry, RecordedState } from './recorded-state.ts';

const EVERY_MS = 200;

/** Looks at the records all the time: where each instance is, and since when the pool is full. */
export class Watch implements AsyncDisposable {
  /** Of all that were ever seen, by id. */
  readonly nodeOf = new Map<string, string>();
  readonly #state: RecordedState;
  readonly #over = new AbortController();
  readonly #looking: Promise<void>;
  #latest: { readonly atMs: number; readonly records: readonly Entry[] } = { atMs: 0, records: [] };

  constructor(state: RecordedState) {
    this.#state = state;
    this.#looking = this.#look();
  }

  /** As last seen, and when that look began, by performance.now(). */
  get latest(): { readonly atMs: number; readonly records: readonly Entry[] } {
    return this.#latest;
  }

  /** Of what was seen in a look that began after `afterMs`: how many of these are ready there. */
  ready(where: (entry: Entry) => boolean, afterMs = 0): number {
    const { atMs, records } = this.#latest;
    return atMs < afterMs ? 0 : records.filter((entry) => entry.state === 'ready' && where(entry)).length;
  }

  /** Whether any of these is ready, as last seen. */
  any(where: (entry: Entry) => boolean): boolean {
    return this.#latest.records.some((entry) => entry.state === 'ready' && where(entry));
  }

  async #look(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const atMs = performance.now();
      // Nobody can be asked for as long as there is no primary.
      const records = await this.#state.records().catch(() => undefined);
      if (records !== undefined) {
        for (const { id, node } of records) this.nodeOf.set(id, node);
        this.#latest = { atMs, records };
      }
      await sleep(EVERY_MS, this.#over.signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#looking;
  }
}
