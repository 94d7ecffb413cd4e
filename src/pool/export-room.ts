import { TryItNowError } from '../domain/errors.ts';

/** Over all instances of this server: each holds a connection, and has an engine or an app at work. */
const MAX_AT_ONCE = 8;
const RETRY_MS = 5_000;

/** Which downloads are under way: one an instance, and not too many. */
export class ExportRoom {
  readonly #instances = new Set<string>();
  readonly #maxAtOnce: number;

  constructor(maxAtOnce = MAX_AT_ONCE) {
    this.#maxAtOnce = maxAtOnce;
  }

  /** Throws export_busy. Returns what ends it. */
  enter(instanceId: string): () => void {
    if (this.#instances.has(instanceId)) throw busy('what is in this instance is being downloaded already');
    if (this.#instances.size >= this.#maxAtOnce)
      throw busy(`this server has ${this.#maxAtOnce} downloads under way, which is as many as it takes`);
    this.#instances.add(instanceId);
    return () => void this.#instances.delete(instanceId);
  }
}

function busy(why: string): TryItNowError {
  return new TryItNowError('export_busy', why, { retryAfterMs: RETRY_MS });
}
