import { backoffMs } from '../lifecycle/backoff.ts';

const AGAIN = { baseMs: 60_000, maxMs: 30 * 60_000 };

/** What could not be tried for another reason than the image itself, and when it is tried again. By name. */
export class UntriedImages {
  readonly #known = new Map<string, { readonly times: number; readonly untilMs: number; readonly askedMs?: number }>();

  /**
   * `askedMs`: when somebody asked for it, if they did; `passedMs`: by a clock that only goes forward. Returns how
   * often it came to that in a row.
   */
  add(name: string, askedMs: number | undefined, passedMs: number): number {
    const times = (this.#known.get(name)?.times ?? 0) + 1;
    const asked = askedMs === undefined ? {} : { askedMs };
    this.#known.set(name, { times, untilMs: passedMs + backoffMs(times, AGAIN), ...asked });
    return times;
  }

  settled(name: string): void {
    this.#known.delete(name);
  }

  /** What is asked for once more waits no longer. */
  isPutOff(name: string, askedMs: number | undefined, passedMs: number): boolean {
    const known = this.#known.get(name);
    return known !== undefined && known.untilMs > passedMs && known.askedMs === askedMs;
  }
}
