import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { claimed, tiny, viewOf } from '../../test/support/store-cases.ts';
import { keys } from './keys.ts';
import { ValkeyUsageStore } from './usage-store.ts';
import { Scripts } from './scripts.ts';

const MINUTE = 60_000;

let store: TestStore;
let reports: ValkeyUsageStore;
beforeAll(async () => {
  store = await startStore();
  reports = new ValkeyUsageStore(new Scripts(store.valkey));
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

const unusedFor = (unusedForMs: number) =>
  store.usageStore.ask({ template: tiny.name, unusedForMs, lastsMs: undefined });
const renewable = async (lastsMs: number): Promise<string[]> =>
  (await store.usageStore.ask({ template: tiny.name, unusedForMs: undefined, lastsMs })).toRenew.map(({ id }) => id);
const idsOf = async (unusedForMs: number): Promise<string[]> =>
  (await unusedFor(unusedForMs)).unused.map(({ id }) => id);

/** As if that long ago all of this had happened. */
async function age(ms: number): Promise<void> {
  const before = Number((await store.valkey.time())[0]) * 1_000 - ms;
  if ((await store.valkey.exists(keys.useKnownSince)) === 1) await store.valkey.set(keys.useKnownSince, before);
  for (const id of await store.valkey.zrange(keys.lastUsed, 0, -1)) await store.valkey.zadd(keys.lastUsed, before, id);
}

describe('what nobody uses', () => {
  it('is told of only while somebody watches, and from then on', async () => {
    await fillPool(store, tiny);
    const held = await claimed(store);
    expect(await unusedFor(1)).toMatchObject({ complete: false });
    await age(10 * MINUTE);
    await reports.report('proxy-a', [], false);
    // Nobody knows what went on before.
    expect(await unusedFor(MINUTE)).toMatchObject({ complete: true, unused: [] });
    await age(10 * MINUTE);
    expect(await unusedFor(5 * MINUTE)).toMatchObject({ complete: true, unused: [{ id: held.id }] });
    expect(await idsOf(15 * MINUTE)).toEqual([]);
  });

  it('is not known while one of those who watch is silent, and is again when that one is gone', async () => {
    await fillPool(store, tiny);
    const held = await claimed(store);
    await reports.report('proxy-a', [], false);
    await reports.report('proxy-b', [], false);
    await unusedFor(1);
    await age(10 * MINUTE);
    expect(await idsOf(5 * MINUTE)).toEqual([held.id]);
    const silentSince = async (ms: number) =>
      store.valkey.hset(keys.useReporters, 'proxy-b', Number((await store.valkey.time())[0]) * 1_000 - ms);
    await silentSince(MINUTE);
    expect((await unusedFor(5 * MINUTE)).complete).toBe(false);
    await silentSince(20 * MINUTE);
    expect((await unusedFor(5 * MINUTE)).complete).toBe(false);
    expect(await unusedFor(5 * MINUTE)).toMatchObject({ complete: true, unused: [] });
    expect(await store.valkey.hkeys(keys.useReporters)).toEqual(['proxy-a']);
    await age(10 * MINUTE);
    expect(await idsOf(5 * MINUTE)).toEqual([held.id]);
    await reports.report('proxy-a', [], true);
    expect((await unusedFor(5 * MINUTE)).complete).toBe(false);
  });

  it('is neither what a report names nor what its visitor calls for, and is forgotten with its end', async () => {
    await fillPool(store, tiny);
    const [used, wanted, left] = [await claimed(store), await claimed(store), await claimed(store)];
    await reports.report('proxy-a', [], false);
    await unusedFor(1);
    await age(10 * MINUTE);
    await reports.report('proxy-a', [used.label, 'no-such-label'], false);
    await store.usageStore.recordUse([wanted.label]);
    expect(await idsOf(5 * MINUTE)).toEqual([left.id]);
    expect((await viewOf(store, used.id)).lastUsedMs).toBeGreaterThan(
      (await viewOf(store, left.id)).lastUsedMs ?? Infinity,
    );
    const { instance } = await viewOf(store, left.id);
    await store.cleanupStore.release(instance, 'unused', { from: ['assigned'] });
    // Its last request, told late, does not bring it back.
    await reports.report('proxy-a', [left.label], false);
    expect((await store.valkey.zrange(keys.lastUsed, 0, -1)).toSorted()).toEqual([used.id, wanted.id].toSorted());
  });

  it('is not stored for templates that nobody asks about', async () => {
    await fillPool(store, tiny);
    const held = await claimed(store);
    await reports.report('proxy-a', [held.label], false);
    expect(await store.valkey.exists(keys.lastUsed)).toBe(0);
    expect((await viewOf(store, held.id)).lastUsedMs).toBeUndefined();
  });
});

it('what is used lasts longer once a tenth of a visit is gone', async () => {
  await fillPool(store, tiny);
  const held = await claimed(store);
  const visit = tiny.ttl.defaultMs;
  expect(await renewable(visit)).toEqual([]);
  expect(await renewable(visit * 1.5)).toEqual([held.id]);

  // Renewing is neither a use nor a step of the visitor's; asking for more time is both.
  const { instance, lastUsedMs } = await viewOf(store, held.id);
  const steps = async (): Promise<string[]> => {
    const [funnel = ''] = await store.valkey.keys('funnel:*');
    return (await store.valkey.hkeys(funnel)).filter((step) => step.endsWith(' extended'));
  };
  expect(await store.claimStore.extend(instance, 1_000, tiny.ttl.maxMs, 'use')).toMatchObject({ kind: 'extended' });
  expect([(await viewOf(store, held.id)).lastUsedMs, await steps()]).toEqual([lastUsedMs, []]);
  await age(MINUTE);
  const later = await viewOf(store, held.id);
  await store.claimStore.extend(later.instance, 1_000, tiny.ttl.maxMs);
  expect((await viewOf(store, held.id)).lastUsedMs).toBeGreaterThan(later.lastUsedMs ?? Infinity);
  expect(await steps()).toEqual(['tiny direct extended']);
});
