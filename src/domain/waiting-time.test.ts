import { describe, expect, it } from 'vitest';
import { estimate, type Refilled, type Supply } from './waiting-time.ts';

const NOW = 1_000_000;
/** One came up each time, the last so long ago. */
const every = (ms: number, { count = 8, tookMs = ms, agoMs = 0, left = 1 } = {}): Refilled[] =>
  Array.from({ length: count }, (_, at) => ({ atMs: NOW - agoMs - at * ms, tookMs, left }));
const supply = (changes: Partial<Supply> = {}): Supply => ({
  nowMs: NOW,
  mode: 'open',
  ready: 0,
  warming: 0,
  startAgesMs: [],
  leaving: 0,
  assigned: 0,
  endsInMs: [],
  capacity: 100,
  failing: undefined,
  off: false,
  refilled: [],
  ...changes,
});
const eta = (changes: Partial<Supply>, ahead: number) => estimate(supply(changes), ahead).etaMs;

describe('Of one that comes up each two seconds', () => {
  const steady = { refilled: every(2_000, { agoMs: 500 }), warming: 1, startAgesMs: [500] };

  it('each further place costs two seconds', () => {
    expect([0, 1, 9].map((ahead) => eta(steady, ahead))).toEqual([1_500, 3_500, 19_500]);
  });

  it('those that are ready are not waited for', () => {
    expect([0, 1, 2].map((ahead) => eta({ ...steady, ready: 2 }, ahead))).toEqual([0, 0, 1_500]);
  });

  it('what is overdue is put off the more the longer it is overdue', () => {
    const late = (agoMs: number) => eta({ ...steady, refilled: every(2_000, { agoMs }), startAgesMs: [agoMs] }, 0);
    expect([late(2_000), late(4_000), late(10_000)]).toEqual([0, 500, 2_000]);
  });

  it('a start that only just began, after a time without any need, takes its time', () => {
    const idle = every(2_000, { agoMs: 60_000, left: 1 }).map((one, at) => (at === 0 ? { ...one, left: 0 } : one));
    expect(eta({ refilled: idle, warming: 1, startAgesMs: [200] }, 0)).toBe(1_800);
    expect(eta({ refilled: idle, warming: 2 }, 1)).toBe(4_000);
  });
});

it('sees that several start side by side, and that several queue up for one place', () => {
  // Four at a time take eight seconds, so that one comes each two seconds on average, all in one moment.
  const batches = every(8_000, { agoMs: 1_000, count: 3 }).flatMap((one) => [one, one, one, one]);
  const side = { refilled: batches, warming: 4, startAgesMs: [1_000, 1_000, 1_000, 1_000] };
  expect([0, 3].map((ahead) => eta(side, ahead))).toEqual([7_000, 7_000]);
  const queued = { refilled: every(2_000, { agoMs: 1_000 }), warming: 4, startAgesMs: [1_000, 1_000, 1_000, 1_000] };
  expect([0, 3].map((ahead) => eta(queued, ahead))).toEqual([1_000, 7_000]);
});

it('goes by the starts alone where the gaps between them say nothing', () => {
  const single = { refilled: every(9_000, { tookMs: 4_000, left: 0 }), warming: 2, startAgesMs: [1_000, 3_000] };
  expect([0, 1, 2, 3, 4].map((ahead) => eta(single, ahead))).toEqual([1_000, 3_000, 7_000, 7_000, 11_000]);
});

it('counts on a visit that ends where there is no room for another', () => {
  const full = { refilled: every(2_000), capacity: 4, assigned: 3, leaving: 1, endsInMs: [30_000, 90_000, 95_000] };
  expect([0, 1, 2].map((ahead) => estimate(supply(full), ahead))).toEqual([
    { reason: 'full', etaMs: 2_000 },
    { reason: 'full', etaMs: 32_000 },
    { reason: 'full', etaMs: 92_000 },
  ]);
  expect(estimate(supply(full), 9)).toEqual({ reason: 'full', etaMs: undefined });
  expect(estimate(supply({ ...full, refilled: [] }), 0)).toEqual({ reason: 'full', etaMs: undefined });
});

it('promises nothing where nothing is prepared or was ever measured', () => {
  const refilled = every(2_000);
  const nothing = (reason: string) => ({ reason, etaMs: undefined });
  expect(estimate(supply(), 0)).toEqual(nothing('preparing'));
  expect(estimate(supply({ refilled, mode: 'paused', ready: 1 }), 0)).toEqual(nothing('paused'));
  expect(estimate(supply({ refilled, mode: 'draining' }), 0)).toEqual(nothing('paused'));
  expect(estimate(supply({ refilled, failing: { failures: 3, retryInMs: 5_000 } }), 0)).toEqual(nothing('failing'));
  expect(estimate(supply({ refilled, off: true }), 0)).toEqual(nothing('off'));
  expect(estimate(supply({ refilled, off: true, warming: 1, startAgesMs: [500] }), 0).etaMs).toBe(2_000);
});
