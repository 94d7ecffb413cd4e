import type { Clock } from '../domain/clock.ts';
import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Demos } from '../http/demos.ts';
import type { PoolControl } from '../pool/interfaces/pool-controls.ts';
import type { PoolStats } from '../pool/interfaces/inventory.ts';

const FRESH_MS = 500;

/** Undefined parts are not known right now. */
export interface PoolFiguresOf {
  readonly stats: PoolStats | undefined;
  readonly control: PoolControl | undefined;
}

/**
 * The pool's figures for the pages: one look-up half a second for all visitors, and never a reason for a page to fail.
 */
export class PoolFigures {
  readonly #demos: Pick<Demos, 'stats' | 'controls'>;
  readonly #clock: Clock;
  readonly #log: Log;
  #askedAtMs = -Infinity;
  #last: Promise<readonly [ReadonlyMap<string, PoolStats>, ReadonlyMap<string, PoolControl>]> = Promise.resolve([
    new Map(),
    new Map(),
  ]);

  constructor(demos: Pick<Demos, 'stats' | 'controls'>, clock: Clock, log: Log) {
    this.#demos = demos;
    this.#clock = clock;
    this.#log = log;
  }

  async of(template: string): Promise<PoolFiguresOf> {
    if (this.#clock.now() - this.#askedAtMs >= FRESH_MS) {
      this.#askedAtMs = this.#clock.now();
      this.#last = Promise.all([this.#demos.stats(), this.#demos.controls()]).catch((error: unknown) => {
        this.#log.debug({ reason: describeError(error) }, "The page is shown without the pool's figures");
        return [new Map<string, PoolStats>(), new Map<string, PoolControl>()] as const;
      });
    }
    const [stats, controls] = await this.#last;
    return { stats: stats.get(template), control: controls.get(template) };
  }
}
