import { TryItNowError } from '../domain/errors.ts';

/** Over all instances of this server: each holds a connection, and has an engine or an app at work. */
const MAX_AT_ONCE = 16;
/** A quarter, so that nobody holds all by reading slowly what several instances have. */
const MAX_PER_CLIENT = 4;
const RETRY_MS = 5_000;

/** Which downloads are under way: one an instance, some a client, and not too many. */
export class ExportRoom {
  /** The client that reads, by instance. */
  readonly #readers = new Map<string, string | undefined>();
  readonly #maxAtOnce: number;
  readonly #maxPerClient: number;

  constructor(maxAtOnce = MAX_AT_ONCE, maxPerClient = MAX_PER_CLIENT) {
    this.#maxAtOnce = maxAtOnce;
    this.#maxPerClient = maxPerClient;
  }

  /** Without a client it reads for many. Throws export_busy. Returns what ends it. */
  enter(instanceId: string, clientKey: string | undefined): () => void {
    if (this.#readers.has(instanceId)) throw busy('what is in this instance is being downloaded already');
    if (this.#readers.size >= this.#maxAtOnce)
      throw busy(`this server has ${this.#maxAtOnce} downloads under way, which is as many as it takes`);
    const theirs = [...this.#readers.values()].filter((each) => each === clientKey).length;
    if (clientKey !== undefined && theirs >= this.#maxPerClient)
      throw busy(`your address has ${this.#maxPerClient} downloads under way, which is as many as one may`);
    this.#readers.set(instanceId, clientKey);
    return () => void this.#readers.delete(instanceId);
  }
}

function busy(why: string): TryItNowError {
  return new TryItNowError('export_busy', why, { retryAfterMs: RETRY_MS });
}
