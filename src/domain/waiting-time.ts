/** When who waits will be served: an estimate from what is measured, and nothing where nothing is prepared. */

/** One instance that came up. */
export interface Refilled {
  readonly atMs: number;
  /** From the begin of its start. */
  readonly tookMs: number;
  /** Starts and visitors that were still to be served then; 0: nothing was to be done until the next was asked for. */
  readonly left: number;
}

/** What the store knows of a pool that somebody waits at. */
export interface Supply {
  readonly nowMs: number;
  readonly mode: 'open' | 'paused' | 'draining';
  readonly ready: number;
  /** Reserved and under way. */
  readonly warming: number;
  /** Of those under way. */
  readonly startAgesMs: readonly number[];
  readonly leaving: number;
  readonly assigned: number;
  /** Until the next of those assigned ends, the soonest first; not all where they are many. */
  readonly endsInMs: readonly number[];
  readonly capacity: number;
  /** The breaker is open. */
  readonly failing: { readonly failures: number; readonly retryInMs: number } | undefined;
  /** Operators want none. */
  readonly off: boolean;
  /** The newest first. */
  readonly refilled: readonly Refilled[];
}

export const WAIT_REASONS = ['preparing', 'failing', 'full', 'off', 'paused'] as const;
type WaitReason = (typeof WAIT_REASONS)[number];

export interface Estimate {
  /** What is waited for. */
  readonly reason: WaitReason;
  /** Undefined where nothing is being prepared, and where no start was ever measured. */
  readonly etaMs: number | undefined;
}

/** What is overdue takes longer still, the more the longer it is overdue. */
const OVERDUE_SHARE = 0.25;
/** Recent ones alone: the machine's speed of an hour ago says little. */
const MEASURED = 10;

/** When the one with so many `ahead` will be served. */
export function estimate(supply: Supply, ahead: number): Estimate {
  const { mode, failing, off, ready, warming, capacity, assigned, leaving } = supply;
  if (mode !== 'open') return { reason: 'paused', etaMs: undefined };
  const missing = ahead + 1 - ready;
  if (missing <= 0) return { reason: 'preparing', etaMs: 0 };
  if (failing !== undefined) return { reason: 'failing', etaMs: undefined };
  if (off && warming === 0) return { reason: 'off', etaMs: undefined };
  const room = Math.max(0, capacity - ready - warming - assigned - leaving);
  const beyond = missing - warming - room;
  return beyond > 0
    ? { reason: 'full', etaMs: afterSomebodyEnds(supply, beyond) }
    : { reason: 'preparing', etaMs: untilPrepared(supply, missing) };
}

/** Those that are cleaned up make room first, then those whose time is up. At the latest: people may end earlier. */
function afterSomebodyEnds(supply: Supply, nth: number): number | undefined {
  const startMs = startTime(supply);
  const endsInMs = nth <= supply.leaving ? 0 : supply.endsInMs[nth - supply.leaving - 1];
  return startMs === undefined || endsInMs === undefined ? undefined : endsInMs + startMs;
}

/**
 * Two bounds, of which the later holds: those under way need the time that a start takes, and all of them together come
 * no faster than they came lately.
 */
function untilPrepared(supply: Supply, nth: number): number | undefined {
  const startMs = startTime(supply);
  if (startMs === undefined) return undefined;
  const left = supply.startAgesMs.map((ageMs) => rest(startMs, ageMs)).sort((a, b) => a - b);
  const everyMs = interval(supply);
  const own = left[nth - 1];
  if (everyMs === undefined)
    return own ?? (left.at(-1) ?? 0) + startMs * Math.ceil((nth - left.length) / abreast(left));
  const together = rest(everyMs, sinceLastMs(supply)) + (nth - 1) * everyMs;
  return Math.max(together, own ?? left.at(-1) ?? startMs);
}

function abreast(left: readonly number[]): number {
  return Math.max(1, left.length);
}

function rest(usualMs: number, passedMs: number): number {
  return passedMs <= usualMs ? usualMs - passedMs : (passedMs - usualMs) * OVERDUE_SHARE;
}

/** Of a start that waits for no other: a quarter took no longer. */
function startTime({ refilled }: Supply): number | undefined {
  const took = refilled
    .slice(0, MEASURED)
    .map(({ tookMs }) => tookMs)
    .sort((a, b) => a - b);
  return took[Math.floor(took.length / 4)];
}

/** Between two that came up while there was something to do all the time. */
function interval({ refilled }: Supply): number | undefined {
  const gaps = refilled.slice(0, MEASURED).flatMap(({ atMs }, at) => {
    const before = refilled[at + 1];
    return before !== undefined && before.left > 0 ? [Math.max(0, atMs - before.atMs)] : [];
  });
  return gaps.length === 0 ? undefined : gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
}

/** Since the last one came up or, where nothing was to be done after it, since the oldest start under way began. */
function sinceLastMs({ nowMs, refilled, startAgesMs }: Supply): number {
  const last = refilled[0];
  const sinceMs = last === undefined ? Infinity : Math.max(0, nowMs - last.atMs);
  return last !== undefined && last.left > 0 ? sinceMs : Math.min(sinceMs, Math.max(0, ...startAgesMs));
}
