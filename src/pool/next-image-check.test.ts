import { expect, it } from 'vitest';
import type { ImageCheck } from '../domain/image-check.ts';
import { nextImageCheckMs } from './next-image-check.ts';

const at = (text: string): number => Date.parse(text);
const sinceMs = at('2026-01-02T03:30:00Z');
const nowMs = at('2026-01-02T03:55:00Z');
const hourly: ImageCheck = { kind: 'every', everyMs: 3_600_000, written: '1h' };
const atFour: ImageCheck = { kind: 'cron', cron: '0 4 * * *' };

it.each<[string, readonly ImageCheck[], string | undefined, string | undefined]>([
  ['at once the first time', [hourly], undefined, '2026-01-02T03:30:00Z'],
  ['so long after the last time', [hourly], '2026-01-02T03:10:00Z', '2026-01-02T04:10:00Z'],
  ['at the next time of cron, in UTC', [atFour], undefined, '2026-01-02T04:00:00Z'],
  [
    'at the one after the last time, also one that was missed',
    [atFour],
    '2025-12-31T04:00:00Z',
    '2026-01-01T04:00:00Z',
  ],
  [
    'an hour after one that a clock which is a little ahead has noted',
    [hourly],
    '2026-01-02T03:55:30Z',
    '2026-01-02T04:55:30Z',
  ],
  ['at once after one that is a year ahead', [hourly], '2027-01-02T03:30:00Z', '2026-01-02T03:30:00Z'],
  ['at the next time of cron after one that is a year ahead', [atFour], '2027-01-02T03:30:00Z', '2026-01-02T04:00:00Z'],
  ['never by itself', [{ kind: 'manual' }], undefined, undefined],
  [
    'as the template that wants it first',
    [{ kind: 'manual' }, atFour, hourly],
    '2026-01-02T03:50:00Z',
    '2026-01-02T04:00:00Z',
  ],
])('an image is looked for %s', (_, checks, last, next) => {
  const lastMs = last === undefined ? undefined : at(last);
  expect(nextImageCheckMs(checks, { lastMs, sinceMs, nowMs })).toBe(next === undefined ? undefined : at(next));
});
