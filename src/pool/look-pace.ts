import { sleep } from '../lifecycle/sleep.ts';

/** A small pool is looked through at once; what is large enough to be in the visitors' way is spread. */
const LOOKS_AT_ONCE = 20;
/** A look costs as much processor time as four claims; of several at the same time each claim waits for all. */
const LOOKS_PER_SECOND = 50;
const GAP_MS = 1_000 / LOOKS_PER_SECOND;
/** The share of time in which this process has something to do, from which on it counts as busy. */
const BUSY = 0.5;
/** However busy it is, every fifth gap has its look. */
const PUT_OFF_AT_MOST = 4;

interface LookPaceOptions {
  readonly now?: () => number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** The share of time since it was asked last in which this process had something to do. */
  readonly load?: () => number;
}

/**
 * Spreads the looks of one round: at most fifty a second, evenly, and fewer while this process is busy with
 * visitors.
 */
export class LookPace {
  readonly #now: () => number;
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #load: () => number;
  #looks = 0;
  #nextAtMs = -Infinity;

  constructor({ now = () => performance.now(), wait = sleep, load = loadOfThisProcess() }: LookPaceOptions = {}) {
    this.#now = now;
    this.#wait = wait;
    this.#load = load;
  }

  /** Resolves when the next look may begin, and early when the signal is aborted. */
  async turn(signal: AbortSignal): Promise<void> {
    this.#looks += 1;
    if (this.#looks <= LOOKS_AT_ONCE) return;
    await this.#untilGap(signal);
    for (let putOff = 0; putOff < PUT_OFF_AT_MOST && !signal.aborted && this.#load() > BUSY; putOff += 1)
      await this.#untilGap(signal);
  }

  async #untilGap(signal: AbortSignal): Promise<void> {
    const now = this.#now();
    this.#nextAtMs = Math.max(this.#nextAtMs + GAP_MS, now);
    if (this.#nextAtMs > now) await this.#wait(this.#nextAtMs - now, signal);
  }
}

function loadOfThisProcess(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}
