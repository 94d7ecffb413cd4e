/**
 * How many instances have to be in stock so that the wanted share of clicks finds one ready.
 *
 * The pool is what inventory theory calls base stock, or (S−1, S): each click takes one, and its successor is ordered
 * at once and comes after the lead time. What is on order when a click comes is then a Poisson number with the mean of
 * clicks per lead time, however the lead time is distributed (Palm's theorem; Feeney and Sherbrooke, "The (s−1, s)
 * inventory policy under compound Poisson demand", Management Science 12, 1966), and the click finds one ready when
 * fewer than S are on order. Where clicks come in crowds, which Fisher's index of dispersion tells, each bucket counts
 * by its own rate, weighted by the clicks in it: the share is one of clicks, not of time.
 */
import { poissonAtMost } from './poisson.ts';
import type { Refilled } from './waiting-time.ts';

/** Clicks are counted by buckets of this length. */
export const BUCKET_MS = 30_000;
/** Parts of a bucket in which a backlog grows or shrinks. */
const STEPS = 5;

const FEWEST_GAPS = 4;
const CHANCE = 0.01;
/** So many times the gap that there would be side by side is no chance any more. */
const HELD_UP = 1.5;

/** How refills come, as measured. */
export interface RefillPace {
  /** From the begin of a start until its instance is ready, on average. */
  readonly leadMs: number;
  /** Between two that come up while starts hold each other up; undefined: they did not. */
  readonly intervalMs: number | undefined;
}

/** Clicks within `spanMs`; shorter than a bucket for the one that is not over. */
export interface Bucket {
  readonly clicks: number;
  readonly spanMs: number;
}

/**
 * Of what came up last, the newest first; undefined where nothing did. Starts hold each other up where the next one
 * comes later than it would if all that were left went on side by side.
 */
export function paceOf(refilled: readonly Refilled[]): RefillPace | undefined {
  if (refilled.length === 0) return undefined;
  const leadMs = mean(refilled.map(({ tookMs }) => tookMs));
  const gaps = refilled.flatMap(({ atMs }, at) => {
    const before = refilled[at + 1];
    return before !== undefined && before.left > 1
      ? [{ gapMs: Math.max(0, atMs - before.atMs), alongsideMs: leadMs / before.left }]
      : [];
  });
  const gapMs = mean(gaps.map((gap) => gap.gapMs));
  // A few gaps say little: two may come up in one moment.
  const limited = gaps.length >= FEWEST_GAPS && gapMs > HELD_UP * mean(gaps.map((gap) => gap.alongsideMs));
  return { leadMs, intervalMs: limited ? gapMs : undefined };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

interface Moment {
  readonly clicks: number;
  /** Orders that wait for their start. */
  readonly backlog: number;
  /** Mean number of starts under way. */
  readonly underWay: number;
}

/** The smallest stock up to `most` that does; `most` where none does. 0 without any click. */
export function stockFor(buckets: readonly Bucket[], pace: RefillPace, cover: number, most: number): number {
  const clicks = clicksIn(buckets);
  if (clicks === 0) return 0;
  if (comeSingly(buckets)) return stockForRate(clicks / spanOf(buckets), pace, cover, most);
  const moments = momentsOf(buckets, pace);
  // As many as there were clicks serve them all.
  let [low, high] = [1, Math.max(1, Math.min(most, clicks))];
  while (low < high) {
    const stock = Math.floor((low + high) / 2);
    if (shareServed(moments, stock) >= cover) high = stock;
    else low = stock + 1;
  }
  return low;
}

/** Whether the newest buckets hold a crowd: more than the earlier ones' rate would bring once in a hundred times. */
export function isCrowd(newest: readonly Bucket[], earlier: readonly Bucket[]): boolean {
  const usual = (clicksIn(earlier) / Math.max(1, spanOf(earlier))) * spanOf(newest);
  return clicksIn(newest) > 0 && poissonAtMost(clicksIn(newest) - 1, usual) > 1 - CHANCE;
}

export function clicksIn(buckets: readonly Bucket[]): number {
  return buckets.reduce((sum, { clicks }) => sum + clicks, 0);
}

export function spanOf(buckets: readonly Bucket[]): number {
  return buckets.reduce((sum, { spanMs }) => sum + spanMs, 0);
}

/** Variance and mean of the counts are one to a Poisson process, give or take 2·√(2/(k−1)) for k buckets. */
function comeSingly(buckets: readonly Bucket[]): boolean {
  if (buckets.length < 2) return false;
  const average = clicksIn(buckets) / buckets.length;
  const squares = buckets.reduce((sum, { clicks }) => sum + (clicks - average) ** 2, 0);
  const dispersion = squares / (buckets.length - 1) / average;
  return dispersion <= 1 + 2 * Math.sqrt(2 / (buckets.length - 1));
}

/** For clicks that come at this one rate. */
function stockForRate(perMs: number, { leadMs }: RefillPace, cover: number, most: number): number {
  let stock = 1;
  while (stock < most && poissonAtMost(stock - 1, perMs * leadMs) < cover) stock += 1;
  return stock;
}

/** What each of a bucket's clicks finds on order, the earlier buckets' backlog included. */
function momentsOf(buckets: readonly Bucket[], { leadMs, intervalMs }: RefillPace): readonly Moment[] {
  const moments: Moment[] = [];
  let backlog = 0;
  for (const { clicks, spanMs } of buckets) {
    // A click does not find itself on order: without it, the rate of a lone click is none.
    const offered = Math.max(0, clicks - 1) / spanMs;
    const started = intervalMs === undefined ? offered : Math.min(offered, 1 / intervalMs);
    for (let step = 0; step < STEPS; step += 1) {
      moments.push({ clicks: clicks / STEPS, backlog: Math.floor(backlog), underWay: started * leadMs });
      const served = intervalMs === undefined ? Infinity : spanMs / STEPS / intervalMs;
      backlog = Math.max(0, backlog + clicks / STEPS - served);
    }
  }
  return moments.filter((moment) => moment.clicks > 0);
}

function shareServed(moments: readonly Moment[], stock: number): number {
  let [served, all] = [0, 0];
  for (const { clicks, backlog, underWay } of moments) {
    served += clicks * poissonAtMost(stock - 1 - backlog, underWay);
    all += clicks;
  }
  return served / all;
}
