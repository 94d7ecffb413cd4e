import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { PreviewPut } from '../pool/interfaces/previews.ts';

const NOW_MS = 1_000_000;

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

const put = (
  name: string,
  { from = 'shop', by = 'key:aaaaaaaa', offered = 2, recorded = 3 } = {},
): Promise<PreviewPut> =>
  store.previews.put(
    { name, from, image: `${from}:pr-1`, title: undefined, endsAtMs: NOW_MS + 1, by },
    { offered, recorded, nowMs: NOW_MS },
  );
const names = async () => (await store.previews.list()).map(({ preview }) => preview.name);

it('remembers who put it last', async () => {
  expect(await put('shop-pr-1')).toMatchObject({ preview: { by: 'key:aaaaaaaa' } });
  expect(await put('shop-pr-1', { by: 'key:bbbbbbbb' })).toMatchObject({ preview: { by: 'key:bbbbbbbb' } });
});

it('has no more offered at once, nor recorded, than may be, whoever comes at the same time', async () => {
  const many = await Promise.all(['a', 'b', 'c', 'd'].map((name) => put(name)));
  expect(many.filter((each) => 'preview' in each)).toHaveLength(2);
  expect(many.filter((each) => 'refused' in each)).toEqual([
    { refused: 'offered', count: 2 },
    { refused: 'offered', count: 2 },
  ]);
  const [one = '', other = ''] = await names();
  await store.previews.end(one, NOW_MS);
  expect(await put('third')).toMatchObject({ preview: { name: 'third' } });
  await store.previews.end(other, NOW_MS);
  expect(await put('fourth')).toEqual({ refused: 'recorded', count: 3 });
  // One of those comes back, also where fewer may be by now, and others' previews are counted apart.
  expect(await put(one, { recorded: 1 })).toMatchObject({ preview: { name: one, endsAtMs: NOW_MS + 1 } });
  expect(await put('docs-pr-1', { from: 'docs' })).toMatchObject({ preview: { from: 'docs' } });
});

it('leaves a name to the template that has it until nothing of the preview is left', async () => {
  await put('pr-1');
  expect(await put('pr-1', { from: 'docs' })).toEqual({ refused: 'name_taken', of: 'shop' });
  await store.previews.end('pr-1', NOW_MS);
  expect(await put('pr-1', { from: 'docs' })).toEqual({ refused: 'name_taken', of: 'shop' });
  const [stored] = await store.previews.list();
  expect(stored !== undefined && (await store.previews.forget(stored))).toBe(true);
  expect(await put('pr-1', { from: 'docs' })).toMatchObject({ preview: { from: 'docs' } });
});

it('is ended by who may for its template alone', async () => {
  await put('pr-1');
  await store.valkey.hset('previews', 'unreadable', 'x');
  for (const name of ['pr-1', 'unreadable', 'nothing-there'])
    expect(await store.previews.end(name, NOW_MS, 'docs')).toBeUndefined();
  expect(await store.valkey.hkeys('previews')).toHaveLength(2);
  expect(await store.previews.list()).toMatchObject([{ preview: { endsAtMs: NOW_MS + 1 } }]);
  expect(await store.previews.end('pr-1', NOW_MS, 'shop')).toMatchObject({ endsAtMs: NOW_MS });
  await store.previews.end('unreadable', NOW_MS);
  expect(await names()).toEqual(['pr-1']);
});

it('costs the records of the templates that are asked for', async () => {
  const [shop, docs] = [template({ name: 'shop' }), template({ name: 'docs' })];
  const ready = await fillPool(store, shop);
  await fillPool(store, docs);
  const taken = await store.claimStore.claim({
    ...{ template: shop, clientKey: '203.0.113.7', owner: 'visitor', idempotencyKey: undefined, ttlMs: 60_000 },
  });
  expect(taken.kind).toBe('taken');
  const found = await store.inventory.readyOrAssigned(['shop', 'nothing-there']);
  expect(found.map(({ id }) => id).sort()).toEqual(ready.map(({ id }) => id).sort());
  expect(found.map(({ state }) => state)).toContain('assigned');
});
