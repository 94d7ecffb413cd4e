import { expect, it } from 'vitest';
import { CpuBounds } from './cpu-bounds.ts';

it('holds to the lowest bound, and forgets those of who has ended', async () => {
  const set: number[] = [];
  const bounds = new CpuBounds({
    limitCpu: (_, cpus) => {
      set.push(cpus);
      return Promise.resolve();
    },
  });
  await bounds.bound('one', 1, 'unused', 0.1);
  await bounds.bound('one', 1, 'crowded', 0.5);
  await bounds.bound('one', 1, 'unused');
  await bounds.bound('one', 1, 'crowded');
  expect(set).toEqual([0.1, 0.1, 0.5, 1]);
  await bounds.bound('one', 1, 'crowded', 0.2);
  expect(bounds.of('one', 1)).toBe(0.2);
  expect(bounds.of('another', 1)).toBe(1);
  bounds.keepOnly(new Set(['another']));
  expect(bounds.of('one', 1)).toBe(1);
});
