import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { backoffMs } from './backoff.ts';
import { withDeadline } from './deadline.ts';
import { sleep } from './sleep.ts';

export interface LoopOptions {
  readonly name: string;
  /**
   * Between the end of one round and the start of the next, spread by ±10 % so that several hosts do not march in step.
   */
  readonly intervalMs: number;
  /** Nudged rounds start at least this far apart, so that a flood of nudges costs a bounded number of rounds. */
  readonly minGapMs?: number;
  /** The longest pause after failed rounds (30 s). */
  readonly maxBackoffMs?: number;
  /** How long a stop waits for a round that does not heed its signal, such as one whose server hangs. */
  readonly unwindMs?: number;
  readonly log: Log;
  readonly random?: () => number;
}

const UNWIND_MS = 3_000;
/** After failed rounds: sooner than the next regular one at first, since most failures are over in a moment. */
const RETRY = { baseMs: 500, maxMs: 30_000 };

/**
 * A background loop: rounds never overlap; failing rounds back off; one line on the edge of failing and of recovering.
 */
export class Loop {
  readonly #options: LoopOptions;
  readonly #round: (signal: AbortSignal) => Promise<void>;
  readonly #abort = new AbortController();
  #wake: AbortController = new AbortController();
  #backoff: AbortController = new AbortController();
  #nudged = false;
  #running: Promise<void> | undefined;

  constructor(options: LoopOptions, round: (signal: AbortSignal) => Promise<void>) {
    this.#options = options;
    this.#round = round;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Runs a round now, or right after the one that is under way. Many nudges make one round. */
  trigger(): void {
    if (this.#nudged) return;
    this.#nudged = true;
    this.#wake.abort();
  }

  /** What it fails for may be back: a round now, also out of a backoff. */
  retryNow(): void {
    this.#backoff.abort();
    this.trigger();
  }

  /**
   * No round starts after this; the one under way is told by its signal and awaited for a while, then left to itself.
   */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#wake.abort();
    this.#backoff.abort();
    if (this.#running === undefined) return;
    const { name, unwindMs = UNWIND_MS, log } = this.#options;
    await withDeadline(unwindMs, this.#running, () =>
      log.warn({ loop: name, unwindMs }, 'Loop does not stop; its last round is left behind'),
    );
  }

  async #run(): Promise<void> {
    const { name, intervalMs, minGapMs = 0, maxBackoffMs = RETRY.maxMs, log, random = Math.random } = this.#options;
    const { signal } = this.#abort;
    const stopped = (): boolean => signal.aborted;
    let failures = 0;
    while (!stopped()) {
      const startedAt = performance.now();
      this.#nudged = false;
      this.#wake = new AbortController();
      this.#backoff = new AbortController();
      try {
        await this.#round(signal);
        if (failures > 0) log.info({ loop: name, failures }, 'Loop recovered');
        failures = 0;
      } catch (error) {
        if (stopped()) return;
        failures += 1;
        if (failures === 1)
          log.error({ loop: name, err: error, reason: describeError(error) }, 'Loop failed; trying again with backoff');
      }
      if (stopped()) return;
      const pause =
        failures === 0
          ? intervalMs * (0.9 + 0.2 * random())
          : backoffMs(failures, { baseMs: Math.min(intervalMs, RETRY.baseMs), maxMs: maxBackoffMs, random });
      // A nudge must not cut a failing loop's backoff short, or a busy system would hammer what is down.
      await sleep(pause, failures === 0 ? this.#wake.signal : this.#backoff.signal);
      const gapMs = minGapMs - (performance.now() - startedAt);
      if (gapMs > 0) await sleep(gapMs, signal);
    }
  }
}
