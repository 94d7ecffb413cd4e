import { expect, it } from 'vitest';
import { sideBySide } from './side-by-side.ts';

it('takes at most so many steps at once, and keeps the order', async () => {
  const ends: (() => void)[] = [];
  let most = 0;
  const done = sideBySide([1, 2, 3, 4, 5], 2, async (item) => {
    await new Promise<void>((resolve) => {
      most = Math.max(most, ends.push(resolve));
    });
    return item * 10;
  });
  // The last one that began ends first.
  for (let count = 0; count < 5; count += 1) {
    ends.pop()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await done).toEqual([10, 20, 30, 40, 50]);
  expect(most).toBe(2);
});

it('rejects with the first failure, and has nothing to do for nobody', async () => {
  await expect(sideBySide([1, 2], 2, (item) => Promise.reject(new Error(`step ${item}`)))).rejects.toThrow('step 1');
  expect(await sideBySide([], 3, () => Promise.resolve(1))).toEqual([]);
});
