import { expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

it('doubles from the base up to the longest pause, half of it by chance', () => {
  const options = { baseMs: 100, maxMs: 1_000 };
  const least = [1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, { ...options, random: () => 0 }));
  const most = [1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, { ...options, random: () => 1 }));
  expect(least).toEqual([50, 100, 200, 400, 500, 500]);
  expect(most).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});
