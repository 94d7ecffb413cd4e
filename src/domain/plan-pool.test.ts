import { describe, expect, it } from 'vitest';
import { erlangB, erlangC, planPool } from './plan-pool.ts';

const MINUTE_MS = 60_000;

describe("Erlang's formulas", () => {
  // From published tables: B(10, 5) = 1.84 %, B(20, 12) = 0.98 %, B(5, 3) = 11 %; C(5, 3) = 23.6 %, C(10, 8) = 40.9 %.
  it.each([
    [10, 5, 0.0184],
    [20, 12, 0.0098],
    [5, 3, 0.1101],
  ])('B(%i, %d)', (places, load, share) => expect(erlangB(places, load)).toBeCloseTo(share, 4));
  it.each([
    [5, 3, 0.2362],
    [10, 8, 0.4092],
  ])('C(%i, %d)', (places, load, share) => expect(erlangC(places, load)).toBeCloseTo(share, 4));
  it('has no answer where more come than leave', () => expect(erlangC(5, 5)).toBeUndefined());
});

describe('a plan', () => {
  const plan = (overrides = {}) =>
    planPool({
      ...{ clicksPerMs: 1 / MINUTE_MS, stayMs: 10 * MINUTE_MS, startMs: 30_000, cover: 0.95, most: undefined },
      ...overrides,
    });

  it('has the stock that serves the share asked for, and no more', () => {
    const { ready, stock } = plan();
    expect(ready).toBe(3);
    expect(stock.map(({ ready: count, served }) => [count, Math.round(served * 1000)])).toEqual([
      [2, 910],
      [3, 986],
      [4, 998],
    ]);
  });

  it('has room for those who stay: one in a hundred finds all taken at most', () => {
    const { held, max, allHeld, waiting } = plan();
    expect(held).toBeCloseTo(10);
    expect(max).toBe(18 + 3);
    expect(allHeld).toBeLessThanOrEqual(0.01);
    expect(erlangB(17, 10)).toBeGreaterThan(0.01);
    expect(waiting?.waitMs).toBeCloseTo((10 * MINUTE_MS) / 8);
  });

  it('says of a given size what comes of it, also where it is too small', () => {
    expect(plan({ most: 8 })).toMatchObject({ max: 8, waiting: undefined });
    expect(plan({ most: 8 }).allHeld).toBeCloseTo(erlangB(5, 10));
  });

  it.each([1, 3])('leaves nothing for visitors where the most is no more than has to be ready: %i', (most) => {
    expect(plan({ most })).toMatchObject({ max: most, ready: 3, visits: 0, allHeld: 1, waiting: undefined });
  });

  it('has who waits for a start wait for a part of it', () => {
    const [, odds] = plan().stock;
    expect(odds?.waitMs).toBeGreaterThan(0);
    expect(odds?.waitMs).toBeLessThan(30_000);
  });
});
