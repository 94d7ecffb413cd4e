import { expect, it } from 'vitest';
import type { ScheduleEntry } from '../domain/pool-size.ts';
import { ScheduledWishes } from './scheduled-wishes.ts';

const HOUR_MS = 3_600_000;
const mornings: ScheduleEntry = { cron: '0 8 * * 1-5', zone: 'Europe/Berlin', forMs: 10 * HOUR_MS, target: 5 };
const spans = (at: string, wishes = new ScheduledWishes()) =>
  wishes.at([mornings], Date.parse(at)).map(({ fromMs, toMs, target }) => ({
    ...{ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), target },
  }));

it('is what began last and what begins next, by the clock of its time zone', () => {
  expect(spans('2026-12-01T07:00:00Z')).toEqual([
    { from: '2026-12-01T07:00:00.000Z', to: '2026-12-01T17:00:00.000Z', target: 5 },
    { from: '2026-12-02T07:00:00.000Z', to: '2026-12-02T17:00:00.000Z', target: 5 },
  ]);
  // An hour earlier by UTC in summer.
  expect(spans('2026-07-01T05:59:59Z')[1]?.from).toBe('2026-07-01T06:00:00.000Z');
});

it('is the same until the next one begins', () => {
  const wishes = new ScheduledWishes();
  expect(spans('2026-12-04T12:00:00Z', wishes)[1]?.from).toBe('2026-12-07T07:00:00.000Z');
  expect(spans('2026-12-07T06:59:59Z', wishes)[1]?.from).toBe('2026-12-07T07:00:00.000Z');
  expect(spans('2026-12-07T07:00:00Z', wishes)[1]?.from).toBe('2026-12-08T07:00:00.000Z');
});
