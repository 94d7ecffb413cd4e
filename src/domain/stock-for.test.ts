import { describe, expect, it } from 'vitest';
import { poissonAtMost } from './poisson.ts';
import { BUCKET_MS, isCrowd, paceOf, stockFor, type Bucket } from './stock-for.ts';

const buckets = (...clicks: readonly number[]): Bucket[] => clicks.map((each) => ({ clicks: each, spanMs: BUCKET_MS }));
const pace = (leadMs: number, intervalMs?: number) => ({ leadMs, intervalMs });

describe('the Poisson distribution', () => {
  // From tables: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.6.19.
  it.each([
    [0, 1, 0.3679],
    [2, 1, 0.9197],
    [4, 2, 0.9473],
    [10, 5, 0.9863],
    [600, 600, 0.5109],
  ])('P(X ≤ %i) with mean %d is %d', (k, mean, expected) =>
    expect(poissonAtMost(k, mean)).toBeCloseTo(expected, mean > 500 ? 2 : 3),
  );

  it('has nothing below zero, and all of it at zero without a rate', () => {
    expect(poissonAtMost(-1, 3)).toBe(0);
    expect(poissonAtMost(0, 0)).toBe(1);
  });
});

describe('what has to be in stock', () => {
  it('is nothing without a click', () => expect(stockFor(buckets(0, 0, 0), pace(10_000), 0.95, 50)).toBe(0));

  it('is the quantile of the clicks within a start, where they come one by one', () => {
    // Four a minute while a start takes 30 s: two under way, and P(X ≤ 4) = 0.947, P(X ≤ 5) = 0.983.
    const even = buckets(...Array.from({ length: 20 }, (_, at) => [1, 3, 2, 2][at % 4] ?? 0));
    expect(stockFor(even, pace(30_000), 0.95, 50)).toBe(6);
    expect(stockFor(even, pace(30_000), 0.9, 50)).toBe(5);
    expect(stockFor(even, pace(3_000), 0.95, 50)).toBe(2);
  });

  it('is more where as many come as a crowd, but no more than they are', () => {
    const crowd = buckets(...Array.from({ length: 19 }, () => 0), 38);
    expect(stockFor(crowd, pace(30_000), 0.95, 100)).toBeGreaterThan(35);
    expect(stockFor(crowd, pace(300_000), 0.999, 100)).toBe(38);
    expect(stockFor(crowd, pace(30_000), 0.95, 10)).toBe(10);
  });

  it('is more where starts hold each other up', () => {
    const crowd = buckets(...Array.from({ length: 18 }, () => 0), 10, 10);
    expect(stockFor(crowd, pace(5_000, 10_000), 0.95, 100)).toBeGreaterThan(stockFor(crowd, pace(5_000), 0.95, 100));
  });
});

it('tells a crowd from chance', () => {
  const usual = buckets(...Array.from({ length: 18 }, () => 2));
  expect(isCrowd(buckets(3, 2, 4), usual)).toBe(false);
  expect(isCrowd(buckets(4, 9, 12), usual)).toBe(true);
  expect(isCrowd(buckets(0, 0, 0), buckets(0, 0))).toBe(false);
});

describe('how starts come', () => {
  const refilled = (gapMs: number, left: number) =>
    Array.from({ length: 10 }, (_, at) => ({ atMs: 1_000_000 - at * gapMs, tookMs: 20_000, left }));

  it('is not known without any', () => expect(paceOf([])).toBeUndefined());

  it('is side by side where as many come as are under way', () =>
    expect(paceOf(refilled(5_000, 4))).toEqual({ leadMs: 20_000, intervalMs: undefined }));

  it('is one after another where the rest waits', () =>
    expect(paceOf(refilled(5_000, 12))).toEqual({ leadMs: 20_000, intervalMs: 5_000 }));

  it('is not held up where there was nothing more to do', () =>
    expect(paceOf(refilled(60_000, 0))?.intervalMs).toBeUndefined());
});
