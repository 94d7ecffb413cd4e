import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { systemClock } from '../domain/clock.ts';
import { offeredPreviews } from '../domain/preview.ts';
import { Catalogue } from '../domain/template.ts';
import { listPreviews, putPreview, removePreview, showPreview, type OperatePreviewsDeps } from './operate-previews.ts';

const pool = { target: 1, max: 2 };
const allowing = (name: string) =>
  template({ name, previews: { images: [`acme/${name}:pr-*`], max: 1, maxAgeMs: 60_000, pool } });
const [SHOP, DOCS] = [allowing('shop'), allowing('docs')];

let store: TestStore;
let deps: OperatePreviewsDeps;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.clear();
  const reload = { refresh: () => Promise.resolve() };
  deps = { ...store, catalogue: new Catalogue([SHOP, DOCS]), reload, clock: systemClock };
});

const put = (name: string, from = 'shop') => {
  const image = `acme/${from}:pr-1`;
  return putPreview(deps, name, { from, image, title: undefined, endsAtMs: undefined, forMs: undefined, by: 'key:a' });
};

it('refuses one beyond those that are offered, and beyond twice as many that are not gone yet', async () => {
  await put('a');
  await expect(put('b')).rejects.toMatchObject({ code: 'preview_limit', details: { offered: 1, max: 1 } });
  await removePreview(deps, 'a');
  await put('b');
  await removePreview(deps, 'b');
  await expect(put('c')).rejects.toMatchObject({
    ...{ code: 'preview_limit', details: { recorded: 2, max: 2 } },
    message: expect.stringContaining('2 previews of the template shop are there, with those that have ended') as string,
  });
});

it('names the template whose preview has the name', async () => {
  await put('pr-1', 'docs');
  await expect(put('pr-1')).rejects.toMatchObject({
    code: 'preview_name_taken',
    message: 'The preview pr-1 is a copy of the template docs',
  });
});

it('shows those of one template as if there were no others, and each with its own instances', async () => {
  await put('shop-pr-1');
  const { templates } = offeredPreviews(
    [SHOP, DOCS],
    (await store.previews.list()).map(({ preview }) => preview),
  );
  for (const each of [SHOP, ...templates]) await fillPool(store, each);
  await put('docs-pr-1', 'docs');
  expect((await listPreviews(deps)).map(({ name, state, ready }) => [name, state, ready])).toEqual([
    ['docs-pr-1', 'starting', 0],
    ['shop-pr-1', 'ready', 1],
  ]);
  expect((await listPreviews(deps, 'docs')).map(({ name }) => name)).toEqual(['docs-pr-1']);
  expect(await showPreview(deps, 'shop-pr-1', 'shop')).toMatchObject({ ready: 1, by: 'key:a' });
  await expect(showPreview(deps, 'shop-pr-1', 'docs')).rejects.toMatchObject({ code: 'unknown_preview' });
  await expect(removePreview(deps, 'shop-pr-1', 'docs')).rejects.toMatchObject({ code: 'unknown_preview' });
});
