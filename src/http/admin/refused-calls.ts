import { TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { OPERATOR_REFUSALS, type OperatorRefusal } from '../../domain/operator-refusal.ts';

/** Beyond so many in a minute the refused ones are told to come later. A right key is let in all the same. */
const MOST_A_MINUTE = 300;
const MINUTE_MS = 60_000;

export interface RefusalObserver {
  refusedOperator(code: OperatorRefusal): void;
}

/**
 * Calls without a right key, and log-ins that came to nothing. Anybody who reaches the listener can make any number of
 * them, so they are counted and told in a line a minute, and never come into the audit log, where they would push out
 * what operators did.
 */
export class RefusedCalls {
  readonly #log: Log;
  readonly #observer: RefusalObserver | undefined;
  readonly #now: () => number;
  #minute = { startedAt: -Infinity, refused: 0 };
  #told = { at: -Infinity, since: 0 };

  constructor(log: Log, observer: RefusalObserver | undefined, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#observer = observer;
    this.#now = now;
  }

  /** Returns what to answer with: `error`, or that there were too many of its kind. */
  note(error: TryItNowError, from: string): TryItNowError {
    const now = this.#now();
    if (now - this.#minute.startedAt >= MINUTE_MS) this.#minute = { startedAt: now, refused: 0 };
    this.#minute.refused += 1;
    const answer = this.#minute.refused > MOST_A_MINUTE ? this.#tooMany(now) : error;
    const code = OPERATOR_REFUSALS.find((known) => known === answer.code);
    if (code !== undefined) this.#observer?.refusedOperator(code);
    this.#tell(answer, from, now);
    return answer;
  }

  #tooMany(now: number): TryItNowError {
    return new TryItNowError(
      'too_many_refusals',
      `More than ${MOST_A_MINUTE} calls without a right operator key came within a minute; those with one are ` +
        'answered as always',
      { retryAfterMs: this.#minute.startedAt + MINUTE_MS - now },
    );
  }

  #tell({ code }: TryItNowError, from: string, now: number): void {
    if (now - this.#told.at < MINUTE_MS) {
      this.#told.since += 1;
      return;
    }
    this.#log.warn({ code, from, alikeSinceLastLine: this.#told.since }, 'An operator was not let in');
    this.#told = { at: now, since: 0 };
  }
}
