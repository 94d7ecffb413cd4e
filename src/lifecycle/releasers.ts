import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';

/** What was acquired, released in reverse order, all of it, whatever fails on the way. */
export class Releasers {
  readonly #stack: { readonly name: string; readonly release: () => unknown }[] = [];

  push(name: string, release: () => unknown): void {
    this.#stack.push({ name, release });
  }

  /** `failed` is told of each part that did not stop cleanly, with the reason, beside the log. */
  async releaseAll(log: Log, failed?: (part: string, reason: string) => void): Promise<void> {
    for (let entry = this.#stack.pop(); entry !== undefined; entry = this.#stack.pop()) {
      try {
        await entry.release();
      } catch (error) {
        const reason = describeError(error);
        log.error({ part: entry.name, err: error, reason }, 'A part did not stop cleanly');
        failed?.(entry.name, reason);
      }
    }
  }
}
