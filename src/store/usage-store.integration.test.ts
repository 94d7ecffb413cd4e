import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { claimed, funnelOf, tiny, viewOf } from '../../test/support/store-cases.ts';
import { keys } from './keys.ts';
import { ACTIVE_AFTER_MS, ValkeyUsageStore } from './usage-store.ts';
import { Scripts } from './scripts.ts';

const MINUTE = 60_000;

let store: TestStore;
let reports: ValkeyUsageStore;
beforeAll(async () => {
  store = await startStore();
  reports = new ValkeyUsageStore(new Scripts(store.valkey), store.valkey);
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

const nowhere: ReadonlySet<string> = new Set();
async function placeOf({ id }: { readonly id: string }): Promise<ReadonlySet<string>> {
  const { node, port } = (await viewOf(store, id)).instance;
  return new Set([`${node.toUpperCase()}:${String(port)}`]);
}

/** How often the command runs in a script, on average. */
async function perScript(command: string, work: () => Promise<unknown>): Promise<number> {
  await store.valkey.config('RESETSTAT');
  await work();
  const stats = await store.valkey.info('commandstats');
  const calls = (name: string): number => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  return calls(command) / calls('evalsha');
}

/** Asked for just now, or that long ago. */
const seen = (label: string, agoMs = 0) => ({ label, agoMs });
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

  it('is known at once when a server has left in order, and soon where somebody was connected', async () => {
    await fillPool(store, tiny);
    const held = await claimed(store);
    await reports.report('discovery', [], false);
    await store.usageStore.recordConnected('caddy of pod-1', nowhere);
    await unusedFor(1);
    await age(10 * MINUTE);
    expect(await idsOf(5 * MINUTE)).toEqual([held.id]);
    await store.usageStore.leaveProxy('caddy of pod-1', nowhere);
    expect(await unusedFor(5 * MINUTE)).toMatchObject({ complete: true, unused: [{ id: held.id }] });
    // A server that was only restarted.
    await store.usageStore.recordConnected('caddy of pod-1', nowhere);
    expect(await unusedFor(5 * MINUTE)).toMatchObject({ complete: true, unused: [{ id: held.id }] });
    await store.usageStore.leaveProxy('caddy of pod-1', nowhere);
    const longGone = Number((await store.valkey.time())[0]) * 1_000 - 11 * MINUTE;
    await store.valkey.hset(keys.useReporters, 'connections:caddy of pod-1', `left:${longGone}`);
    expect(await unusedFor(5 * MINUTE)).toMatchObject({ complete: true, unused: [{ id: held.id }] });
    expect(await store.valkey.hkeys(keys.useReporters)).toEqual(['discovery']);

    await store.usageStore.recordConnected('caddy of pod-2', nowhere);
    await age(10 * MINUTE);
    await store.usageStore.leaveProxy('caddy of pod-2', await placeOf(held));
    expect(await unusedFor(5 * MINUTE)).toMatchObject({ complete: false, unused: [] });
    const left = Number(await store.valkey.hget(keys.useReporters, 'connections:caddy of pod-2'));
    await store.valkey.hset(keys.useReporters, 'connections:caddy of pod-2', left - 2 * MINUTE - 1);
    await unusedFor(1);
    expect(await store.valkey.hkeys(keys.useReporters)).toEqual(['discovery']);
    // Who has never watched a proxy leaves none behind.
    await store.usageStore.leaveProxy('caddy of pod-3', await placeOf(held));
    expect(await store.valkey.hkeys(keys.useReporters)).toEqual(['discovery']);
  });

  it('is known of requests while nobody knows who is connected through a proxy', async () => {
    await fillPool(store, tiny);
    await claimed(store);
    await store.usageStore.recordConnected('caddy of pod-1', nowhere);
    expect(await unusedFor(1)).toMatchObject({ complete: false, requestsKnown: false });
    await reports.report('discovery', [], false);
    expect(await unusedFor(1)).toMatchObject({ complete: true, requestsKnown: true });
    const longAgo = Number((await store.valkey.time())[0]) * 1_000 - MINUTE;
    await store.valkey.hset(keys.useReporters, 'connections:caddy of pod-1', longAgo);
    expect(await unusedFor(1)).toMatchObject({ complete: false, requestsKnown: true });
    await store.valkey.hset(keys.useReporters, 'discovery', longAgo);
    expect(await unusedFor(1)).toMatchObject({ complete: false, requestsKnown: false });
  });

  it('keeps no list of those that watched and were killed, where nobody asks what is unused', async () => {
    await reports.report('proxy-a', [], false);
    await store.valkey.hset(keys.useReporters, 'proxy-a', Number((await store.valkey.time())[0]) * 1_000 - 11 * MINUTE);
    await reports.report('proxy-b', [], false);
    expect(await store.valkey.hkeys(keys.useReporters)).toEqual(['proxy-b']);
  });

  it('is neither what a report names nor what its visitor calls for, and is forgotten with its end', async () => {
    await fillPool(store, tiny);
    const [used, wanted, left] = [await claimed(store), await claimed(store), await claimed(store)];
    await reports.report('proxy-a', [], false);
    await unusedFor(1);
    await age(10 * MINUTE);
    await reports.report('proxy-a', [seen(used.label), seen('no-such-label')], false);
    await store.usageStore.recordUse([wanted.label]);
    expect(await idsOf(5 * MINUTE)).toEqual([left.id]);
    expect((await viewOf(store, used.id)).lastUsedMs).toBeGreaterThan(
      (await viewOf(store, left.id)).lastUsedMs ?? Infinity,
    );
    const { instance } = await viewOf(store, left.id);
    await store.cleanupStore.release(instance, 'unused', { from: ['assigned'] });
    // Its last request, told late, does not bring it back.
    await reports.report('proxy-a', [seen(left.label)], false);
    expect((await store.valkey.zrange(keys.lastUsed, 0, -1)).toSorted()).toEqual([used.id, wanted.id].toSorted());
  });

  it('is not stored for templates that nobody asks about', async () => {
    await fillPool(store, tiny);
    const held = await claimed(store);
    await reports.report('proxy-a', [seen(held.label)], false);
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
  const steps = async (): Promise<string[]> =>
    (await funnelOf(store)).filter(({ step }) => step === 'extended').map(({ site, step }) => `${site} ${step}`);
  expect(await store.claimStore.extend(instance, 1_000, tiny.ttl.maxMs, 'use')).toMatchObject({ kind: 'extended' });
  expect([(await viewOf(store, held.id)).lastUsedMs, await steps()]).toEqual([lastUsedMs, []]);
  await age(MINUTE);
  const later = await viewOf(store, held.id);
  await store.claimStore.extend(later.instance, 1_000, tiny.ttl.maxMs);
  expect((await viewOf(store, held.id)).lastUsedMs).toBeGreaterThan(later.lastUsedMs ?? Infinity);
  expect(await steps()).toEqual(['direct extended']);
});

describe('of thousands of visits', () => {
  const ids = Array.from({ length: 1_000 }, (_, at) => `visit-${at}`);

  it('all are looked at, some in one script', async () => {
    const now = Number((await store.valkey.time())[0]) * 1_000;
    await reports.report('proxy-a', [], false);
    await store.valkey.set(keys.useKnownSince, now - 20 * MINUTE);
    await store.valkey.zadd(keys.assigned(tiny.name), ...ids.flatMap((id, at) => [now + 10 * MINUTE + at, id]));
    await store.valkey.zadd(keys.lastUsed, ...ids.flatMap((id) => [now - 10 * MINUTE, id]));
    let found: string[] = [];
    expect(await perScript('zscore', async () => (found = await idsOf(5 * MINUTE)))).toBeLessThan(300);
    expect(found.toSorted()).toEqual(ids.toSorted());
    const some = ids.slice(0, 450);
    const question = { template: tiny.name, unusedForMs: 5 * MINUTE, lastsMs: undefined, ids: [...some, 'nobody'] };
    expect(
      await perScript(
        'zscore',
        async () => (found = (await store.usageStore.ask(question)).unused.map(({ id }) => id)),
      ),
    ).toBeLessThan(500);
    expect(found).toEqual(some);
  });

  it('all are reported, some in one script, and not before the last of them', async () => {
    await fillPool(store, tiny);
    const held = await claimed(store);
    const used = [...ids.map((label) => seen(label)), seen(held.label)];
    let waits: readonly number[] = [];
    expect(
      await perScript('hget', async () => ({ waitsMs: waits } = await reports.report('a', used, false))),
    ).toBeLessThan(200);
    expect([waits.length, waits.at(-1)]).toEqual([used.length, ACTIVE_AFTER_MS]);

    const another = await claimed(store);
    await store.outbox.limit(10);
    await store.valkey.set(keys.eventOutbox, 'nothing can be written here');
    await expect(reports.report('b', [seen(another.label), ...used], false)).rejects.toThrow('WRONGTYPE');
    expect(await store.valkey.hkeys(keys.useReporters)).toEqual(['a']);
  });
});

describe('what use shows of a visit', () => {
  const steps = async (): Promise<string[]> =>
    (await funnelOf(store)).filter(({ step }) => step !== 'clicked').map(({ site, step }) => `${site} ${step}`);
  const entries = async () => (await store.outbox.read(10)).map(({ entry }) => entry);

  it('is its first page, and that it is still used some time after', async () => {
    await store.outbox.limit(10);
    await fillPool(store, tiny);
    const { id, label } = await claimed(store, { site: 'docs.example.org' });
    expect(await reports.report('proxy-a', [seen(label)], false)).toEqual({
      waitsMs: [ACTIVE_AFTER_MS],
      steps: [{ template: 'tiny', site: 'docs.example.org', step: 'first_page' }],
    });
    const again = await reports.report('proxy-b', [seen(label)], false);
    expect(again.steps).toEqual([]);
    expect(again.waitsMs[0]).toBeLessThanOrEqual(ACTIVE_AFTER_MS);
    expect(again.waitsMs[0]).toBeGreaterThan(0);

    const record = JSON.parse((await store.valkey.hget(keys.instances, id)) ?? '') as { firstPageMs: number };
    record.firstPageMs -= ACTIVE_AFTER_MS;
    await store.valkey.hset(keys.instances, id, JSON.stringify(record));
    expect(await reports.report('proxy-a', [{ label, agoMs: undefined }], false)).toEqual({ waitsMs: [0], steps: [] });
    expect(await reports.report('proxy-a', [seen(label)], false)).toMatchObject({ waitsMs: [Infinity] });
    expect(await reports.report('proxy-a', [seen(label)], false)).toEqual({ waitsMs: [Infinity], steps: [] });
    expect((await steps()).toSorted()).toEqual([
      'docs.example.org active',
      'docs.example.org first_page',
      'docs.example.org handed_over',
    ]);
    const { instance } = await viewOf(store, id);
    expect(await store.claimStore.extend(instance, 1_000, tiny.ttl.maxMs)).toMatchObject({ kind: 'extended' });
    expect(await entries()).toMatchObject([
      { kind: 'claimed', sequence: 1 },
      { kind: 'first_page', sequence: 3, id, site: 'docs.example.org' },
      { kind: 'active', sequence: 4 },
      { kind: 'extended', sequence: 5 },
    ]);
  });

  it('is nothing while nobody has the instance, nor what was asked for before somebody had', async () => {
    const [ready] = await fillPool(store, tiny);
    expect(await reports.report('proxy-a', [seen(ready?.label ?? '')], false)).toEqual({ waitsMs: [0], steps: [] });
    const { label } = await claimed(store);
    expect(await reports.report('proxy-a', [seen(label, 600_000)], false)).toEqual({ waitsMs: [0], steps: [] });
    // What its visitor says is a use, but no page that was seen.
    expect(await store.usageStore.recordUse([label])).toEqual([]);
    expect(await steps()).toEqual(['direct handed_over']);
  });
});
