import { TryItNowError } from '../domain/errors.ts';

export interface StreamRoomOptions {
  /** What the streams tell of. */
  readonly name: string;
  /** Over all clients. Each stream holds a socket for as long as somebody listens. */
  readonly maxStreams: number;
  /** Per client address, so that one visitor cannot use up the room of all. */
  readonly maxPerClient: number;
}

/** How many streams of one kind are open, and whether another may be. */
export class StreamRoom {
  readonly #options: StreamRoomOptions;
  readonly #perClient = new Map<string, number>();
  #open = 0;

  constructor(options: StreamRoomOptions) {
    this.#options = options;
  }

  get open(): number {
    return this.#open;
  }

  /** Throws too_many_streams. Call before the answer has begun. */
  admit(clientKey: string): void {
    const { name, maxStreams, maxPerClient } = this.#options;
    if (this.#open >= maxStreams)
      throw new TryItNowError(
        'too_many_streams',
        `All ${maxStreams} ${name} streams of this server are in use; ask again in a while`,
        { retryAfterMs: 10_000 },
      );
    if ((this.#perClient.get(clientKey) ?? 0) >= maxPerClient)
      throw new TryItNowError(
        'too_many_streams',
        `Your address has ${maxPerClient} ${name} streams open, which is as many as one may; close one first`,
        { retryAfterMs: 10_000 },
      );
  }

  enter(clientKey: string): void {
    this.#open += 1;
    this.#perClient.set(clientKey, (this.#perClient.get(clientKey) ?? 0) + 1);
  }

  leave(clientKey: string): void {
    this.#open -= 1;
    const left = (this.#perClient.get(clientKey) ?? 1) - 1;
    if (left === 0) this.#perClient.delete(clientKey);
    else this.#perClient.set(clientKey, left);
  }
}
