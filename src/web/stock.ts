import type { Clock } from '../domain/clock.ts';
import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Demos } from '../http/ports.ts';
import type { PoolStats } from '../pool/ports.ts';

const FRESH_MS = 500;

/** The pool's figures for the pages: one look-up half a second for all visitors, and never a reason for a page to fail. */
export class Stock {
  readonly #demos: Pick<Demos, 'stats'>;
  readonly #clock: Clock;
  readonly #log: Log;
  #askedAtMs = -Infinity;
  #last: Promise<ReadonlyMap<string, PoolStats>> = Promise.resolve(new Map());

  constructor(demos: Pick<Demos, 'stats'>, clock: Clock, log: Log) {
    this.#demos = demos;
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined when it is not known right now. */
  async of(template: string): Promise<PoolStats | undefined> {
    if (this.#clock.now() - this.#askedAtMs >= FRESH_MS) {
      this.#askedAtMs = this.#clock.now();
      this.#last = this.#demos.stats().catch((error: unknown) => {
        this.#log.debug({ reason: describeError(error) }, 'The page is shown without the pool\'s figures');
        return new Map();
      });
    }
    return (await this.#last).get(template);
  }
}
