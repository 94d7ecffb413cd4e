import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';

/** What was acquired, released in reverse order, all of it, whatever fails on the way. */
export class Releasers {
  readonly #stack: { readonly name: string; readonly release: () => unknown }[] = [];

  push(name: string, release: () => unknown): void {
    this.#stack.push({ name, release });
  }

  async releaseAll(log: Log): Promise<void> {
    for (let entry = this.#stack.pop(); entry !== undefined; entry = this.#stack.pop()) {
      try {
        await entry.release();
      } catch (error) {
        log.error({ part: entry.name, err: error, reason: describeError(error) }, 'A part did not stop cleanly');
      }
    }
  }
}
