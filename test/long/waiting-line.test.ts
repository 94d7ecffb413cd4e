import { expect, it } from 'vitest';
import { passed, standInLine } from '../support/waiting-line.ts';

it('serves those who wait in the order they came, at two servers of which one is killed', async () => {
  const served = await standInLine({ waiters: 12, everyMs: 250, killAfter: 4 });
  expect(passed(served)).toEqual([]);
  expect(new Set(served.map(({ id }) => id)).size).toBe(12);
  // No position ever grew, and who waited longest had been told of it.
  for (const { told } of served)
    expect(told.map(({ position }) => position)).toEqual(
      told.map(({ position }) => position).toSorted((a, b) => b - a),
    );
  expect(served.at(-1)?.told.length).toBeGreaterThan(1);
});
