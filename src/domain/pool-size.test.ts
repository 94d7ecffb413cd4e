import { describe, expect, it } from 'vitest';
import { describeSize } from './describe-size.ts';
import { decideSize, type Autosize, type Evidence, type PoolSize, type Wish } from './pool-size.ts';
import { BUCKET_MS, type Bucket } from './stock-for.ts';

const MINUTE_MS = 60_000;
const START_MS = 1_000 * MINUTE_MS;
const autosize: Autosize = { min: 1, max: 20, cover: 0.95, schedule: [] };

const even = (clicks: number, count = 20): Bucket[] =>
  Array.from({ length: count }, () => ({ clicks, spanMs: BUCKET_MS }));
const given = (overrides: Partial<Evidence> = {}): Evidence => ({
  ...{ nowMs: START_MS, recent: even(0), lastWeek: even(0, 40), wishes: [], room: 100 },
  pace: { leadMs: 30_000, intervalMs: undefined },
  ...overrides,
});
const wish = (overrides: Partial<Wish> = {}): Wish => ({
  ...{ kind: 'event', name: 'class', fromMs: START_MS, toMs: START_MS + 10 * MINUTE_MS, target: 15 },
  ...overrides,
});

describe('a pool that sizes itself', () => {
  it('keeps its least while nobody comes', () =>
    expect(decideSize(autosize, undefined, given())).toMatchObject({ target: 1, reason: 'min' }));

  it('grows at once with the clicks', () => {
    const size = decideSize(autosize, decideSize(autosize, undefined, given()), given({ recent: even(2) }));
    expect(size).toMatchObject({ target: 6, need: 6, reason: 'recent', clicksPerMinute: 4, mostClicks: 2 });
    expect(describeSize(size, autosize)).toMatch(/^6, since it takes 6 for 95 % of the clicks .* 4 clicks a minute/);
  });

  it('has ready what it took a week ago', () =>
    expect(decideSize(autosize, undefined, given({ lastWeek: even(2, 40) }))).toMatchObject({
      target: 6,
      reason: 'last_week',
      lastWeek: 6,
    }));

  it('goes no further than its bound, and says so', () => {
    const size = decideSize(autosize, undefined, given({ recent: even(20) }));
    expect(size).toMatchObject({ target: 20, bound: 'max' });
    expect(describeSize(size, autosize)).toContain('autosize.max');
  });

  it('goes no further than hosts have memory, and gives up nothing that is there', () => {
    expect(decideSize(autosize, undefined, given({ recent: even(2), room: 4 }))).toMatchObject({
      ...{ target: 4, need: 6, bound: 'memory' },
    });
    const before = decideSize(autosize, undefined, given({ recent: even(2) }));
    expect(decideSize(autosize, before, given({ recent: even(2), room: 4 })).target).toBe(4);
  });
});

describe('what is known beforehand', () => {
  const at = (beforeMs: number, wishes = [wish()]) =>
    decideSize(autosize, undefined, given({ nowMs: START_MS - beforeMs, wishes })).target;

  it('is prepared for as long before as the starts take, and ends in time', () => {
    expect(at(30 * MINUTE_MS)).toBe(1);
    expect(at(5 * MINUTE_MS)).toBe(15);
    expect(at(-9 * MINUTE_MS)).toBe(15);
    expect(at(-10 * MINUTE_MS)).toBe(1);
  });

  it('counts by the largest of several, and never lowers', () => {
    expect(at(0, [wish({ target: 3 }), wish({ target: 9, kind: 'schedule', name: 'mornings' })])).toBe(9);
    expect(decideSize(autosize, undefined, given({ recent: even(2), wishes: [wish({ target: 0 })] })).target).toBe(6);
  });

  it('is bounded like everything else', () =>
    expect(decideSize(autosize, undefined, given({ wishes: [wish({ target: 50 })] }))).toMatchObject({
      ...{ target: 20, reason: 'event', bound: 'max', wish: 'class' },
    }));
});

describe('a pool whose visitors have gone', () => {
  /** By a round each five seconds; when each target was reached first. */
  function quietFor(minutes: number, from: PoolSize): Map<number, number> {
    const reached = new Map<number, number>();
    let size = from;
    for (let passed = 0; passed <= minutes * MINUTE_MS; passed += 5_000) {
      size = decideSize(autosize, size, given({ nowMs: START_MS + passed }));
      if (!reached.has(size.target)) reached.set(size.target, passed);
    }
    return reached;
  }
  const large = decideSize(autosize, undefined, given({ wishes: [wish()] }));

  it('stays for five minutes, and then goes down by a quarter of the way a minute', () => {
    const reached = quietFor(30, large);
    expect([...reached.keys()]).toEqual([15, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(reached.get(12)).toBe(5 * MINUTE_MS);
    expect(reached.get(10)).toBe(6 * MINUTE_MS);
    expect(reached.get(1)).toBe(14 * MINUTE_MS);
  });

  it('begins to wait again when they come back', () => {
    const lower = decideSize(autosize, large, given({ nowMs: START_MS + 4 * MINUTE_MS }));
    expect(lower.lowerSinceMs).toBe(START_MS + 4 * MINUTE_MS);
    const back = decideSize(autosize, lower, given({ nowMs: START_MS + 8 * MINUTE_MS, wishes: [wish()] }));
    expect(back.lowerSinceMs).toBeUndefined();
    expect(describeSize(lower, autosize)).toMatch(/^15, since it is being lowered slowly to 1/);
  });
});
