import { expect, it } from 'vitest';
import { stockInSwapChecks } from './stock-in-swap.ts';

const templates = [
  { name: 'a', memory: 'swap' },
  { name: 'b', memory: 'private' },
] as const;

async function seen(swap: { readonly total: number; readonly free: number } | undefined) {
  const [check] = stockInSwapChecks({ templates, swap: () => Promise.resolve(swap) });
  return (await check?.run())?.[0];
}

it('says nothing where no template asks for it', () => {
  const swap = () => Promise.resolve(undefined);
  expect(stockInSwapChecks({ templates: [{ name: 'b', memory: 'private' }], swap })).toEqual([]);
});

it('says how much room there is', async () => {
  expect(await seen({ total: 4 * 2 ** 30, free: 3 * 2 ** 30 })).toMatchObject({
    verdict: 'ok',
    seen: 'a: 3072 of 4096 MiB of swap are free',
  });
});

it.each([
  [{ total: 0, free: 0 }, 'this host has no swap'],
  [undefined, 'this host has no swap'],
  [{ total: 2 ** 30, free: 2 ** 27 }, 'its swap is nearly full'],
])('warns where it cannot be had', async (swap, why) => {
  const found = await seen(swap);
  expect(found).toMatchObject({ verdict: 'warning' });
  expect(found?.seen).toBe(`ready instances of a stay in memory: ${why}`);
});
