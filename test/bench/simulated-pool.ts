import { paceOf, BUCKET_MS, type Bucket } from '../../src/domain/stock-for.ts';
import {
  RECENT_MS,
  UNKNOWN_LEAD_MS,
  WEEK_AHEAD_MS,
  WEEK_BEFORE_MS,
  decideSize,
  type Autosize,
  type PoolSize,
  type Wish,
} from '../../src/domain/pool-size.ts';
import type { Refilled } from '../../src/domain/waiting-time.ts';
import type { ArrivalTrace } from './arrival-traces.ts';

const ROUND_MS = 5_000;
const WEEK_MS = 7 * 86_400_000;
/** As many as the store keeps. */
const REMEMBERED = 16;

export interface PoolOutcome {
  readonly clicks: number;
  readonly warm: number;
  /** Of each that was not served at once. */
  readonly waitsMs: readonly number[];
  /** Idle or being started, times how long. */
  readonly instanceHours: number;
  readonly largest: number;
}

/** A pool on simulated time: `target` is how many stand ready, asked every five seconds. */
class SimulatedPool {
  readonly #trace: ArrivalTrace;
  #nowMs = 0;
  #ready: number;
  #queued = 0;
  /** When each start began. */
  #starting: number[] = [];
  #waiting: number[] = [];
  #target: number;
  #idleMs = 0;
  #warm = 0;
  #clicks = 0;
  #largest = 0;
  readonly #waitsMs: number[] = [];
  readonly refilled: Refilled[] = [];

  constructor(trace: ArrivalTrace, target: number) {
    this.#trace = trace;
    this.#target = target;
    this.#ready = target;
  }

  get target(): number {
    return this.#target;
  }

  resize(target: number): void {
    this.#target = target;
    this.#largest = Math.max(this.#largest, target);
    const surplus = this.#ready - target;
    if (surplus > 0 && this.#waiting.length === 0) this.#ready -= Math.ceil(surplus / 4);
    this.#order();
  }

  click(): void {
    const counts = this.#nowMs >= this.#trace.measuredFromMs;
    if (counts) this.#clicks += 1;
    if (this.#ready > 0) {
      this.#ready -= 1;
      if (counts) this.#warm += 1;
    } else this.#waiting.push(this.#nowMs);
    this.#order();
  }

  /** Up to that time, with all that becomes ready until then. */
  advance(toMs: number): void {
    for (let begun = this.#starting[0]; begun !== undefined; begun = this.#starting[0]) {
      const readyMs = begun + this.#trace.startMs;
      if (readyMs > toMs) break;
      this.#pass(readyMs);
      this.#starting.shift();
      this.#begin();
      const waited = this.#waiting.shift();
      if (waited === undefined) this.#ready += 1;
      else if (waited >= this.#trace.measuredFromMs) this.#waitsMs.push(readyMs - waited);
      const left = this.#queued + this.#starting.length + this.#waiting.length;
      this.refilled.unshift({ atMs: readyMs, tookMs: this.#trace.startMs, left });
      this.refilled.length = Math.min(this.refilled.length, REMEMBERED);
    }
    this.#pass(toMs);
  }

  outcome(): PoolOutcome {
    const instanceHours = this.#idleMs / 3_600_000;
    return { clicks: this.#clicks, warm: this.#warm, waitsMs: this.#waitsMs, instanceHours, largest: this.#largest };
  }

  #pass(toMs: number): void {
    const fromMs = Math.max(this.#nowMs, this.#trace.measuredFromMs);
    if (toMs > fromMs) this.#idleMs += (toMs - fromMs) * (this.#ready + this.#starting.length);
    this.#nowMs = toMs;
  }

  #order(): void {
    const wanted = Math.max(this.#target, this.#waiting.length);
    this.#queued += Math.max(0, wanted - this.#ready - this.#queued - this.#starting.length);
    this.#begin();
  }

  #begin(): void {
    while (this.#queued > 0 && this.#starting.length < this.#trace.startsAtOnce) {
      this.#queued -= 1;
      this.#starting.push(this.#nowMs);
    }
  }
}

export function replayFixed(trace: ArrivalTrace, target: number): PoolOutcome {
  const pool = new SimulatedPool(trace, target);
  pool.resize(target);
  for (const at of trace.clicks) {
    pool.advance(at);
    pool.click();
  }
  pool.advance(trace.durationMs);
  return pool.outcome();
}

/** By the code that decides in a server. */
export function replayAutosized(trace: ArrivalTrace, autosize: Autosize): PoolOutcome {
  const pool = new SimulatedPool(trace, autosize.min);
  const counts = new Map<number, number>();
  const wishes = trace.events.map((event, at): Wish => ({ kind: 'event', name: `class ${at + 1}`, ...event }));
  let size: PoolSize | undefined;
  let next = 0;
  for (let nowMs = 0; nowMs < trace.durationMs; nowMs += ROUND_MS) {
    for (let at = trace.clicks[next]; at !== undefined && at < nowMs; at = trace.clicks[next]) {
      pool.advance(at);
      pool.click();
      const bucket = Math.floor(at / BUCKET_MS);
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
      next += 1;
    }
    pool.advance(nowMs);
    const measured = paceOf(pool.refilled);
    size = decideSize(autosize, size, {
      nowMs,
      recent: bucketsOf(counts, nowMs - RECENT_MS, nowMs),
      lastWeek: bucketsOf(counts, nowMs - WEEK_MS - WEEK_BEFORE_MS, nowMs - WEEK_MS + WEEK_AHEAD_MS),
      pace: {
        leadMs: measured?.leadMs ?? size?.leadMs ?? UNKNOWN_LEAD_MS,
        intervalMs: measured?.intervalMs ?? size?.intervalMs,
      },
      wishes,
      room: Infinity,
    });
    pool.resize(size.target);
  }
  return pool.outcome();
}

const SHORTEST_MS = 10_000;
/** The last one as far as it has come. */
function bucketsOf(counts: ReadonlyMap<number, number>, fromMs: number, toMs: number): Bucket[] {
  const buckets: Bucket[] = [];
  for (let index = Math.floor(fromMs / BUCKET_MS); index * BUCKET_MS < toMs; index += 1)
    buckets.push({
      clicks: counts.get(index) ?? 0,
      spanMs: Math.max(SHORTEST_MS, Math.min(BUCKET_MS, toMs - index * BUCKET_MS)),
    });
  return buckets;
}
