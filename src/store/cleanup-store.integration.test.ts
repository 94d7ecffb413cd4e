import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newAttempt } from '../domain/ids.ts';
import { templateVersion } from '../domain/template.ts';
import { startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { claimed, expectPortsToBalance, tiny, viewOf } from '../../test/support/store-cases.ts';
import { storeClockMs } from '../../test/support/store-traffic.ts';
import { template } from '../../test/support/templates.ts';
import { keys } from './keys.ts';

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

describe('releases', () => {
  it('stop the name, rest the port, then delete the record, in no other order', async () => {
    await fillPool(store, tiny);
    const { id, label } = await claimed(store);
    const { instance } = await viewOf(store, id);
    expect(await store.valkey.hexists(keys.hostnames, label)).toBe(1);
    const outcome = await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
    expect(await store.valkey.hexists(keys.hostnames, label)).toBe(0);
    await expect(store.cleanupStore.deleteRecord(instance)).rejects.toThrow('may not be deleted');
    await store.cleanupStore.recordContainerGone(instance);
    await store.cleanupStore.coolPort(instance);
    await store.cleanupStore.coolPort(instance);
    expect(await store.valkey.zrange(keys.coolingPorts('node0'), 0, -1)).toEqual([String(instance.port)]);
    await store.cleanupStore.deleteRecord(instance);
    await store.cleanupStore.deleteRecord(instance);
    expect(outcome.kind).toBe('releasing');
    expect(await store.claimStore.find(id)).toBeUndefined();
    await expectPortsToBalance(store);
  });

  it('have those who did harm at the same time come back at different times', async () => {
    const roomy = { ...tiny, pool: { ...tiny.pool, target: 24, max: 24 } };
    await fillPool(store, roomy);
    const crowd = Array.from({ length: 12 }, (_, at) => `203.0.113.${100 + at}`);
    for (const clientKey of [...crowd, ...crowd]) {
      const { id } = await claimed(store, { clientKey, owner: clientKey });
      const { instance } = await viewOf(store, id);
      await store.cleanupStore.release(instance, 'process_limit', { from: ['assigned'] });
    }
    const remembered = await store.harmMemory.list();
    expect(remembered.map(({ who }) => who).sort()).toEqual(crowd);
    // Each is forgotten an hour after its end.
    const pausesMs = remembered.map((each) => 3_600_000 - each.forgottenAtMs + (each.pausedUntilMs ?? 0));
    expect(Math.min(...pausesMs)).toBeGreaterThanOrEqual(60_000 - 100);
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(90_000 + 100);
    expect(Math.max(...pausesMs) - Math.min(...pausesMs)).toBeGreaterThan(5_000);
  });

  it('follow the lifecycle table: a quarantined instance only leaves through releasing', async () => {
    await fillPool(store, tiny);
    const { id } = await claimed(store);
    const { instance } = await viewOf(store, id);
    await store.cleanupStore.quarantine(instance, 'too early');
    expect((await viewOf(store, id)).instance.state).toBe('assigned');
    await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
    const before = await storeClockMs(store.valkey);
    expect(await store.cleanupStore.quarantine(instance, 'the engine refuses')).toBe(2_000);
    expect(Number(await store.valkey.zscore(keys.leaving('tiny'), id))).toBeGreaterThanOrEqual(before + 2_000);
    await store.valkey.zadd(keys.leaving('tiny'), before + 600_000, id);
    expect((await viewOf(store, id)).instance).toMatchObject({
      state: 'quarantined',
      reason: 'the engine refuses',
      failures: 1,
    });
    expect(await store.cleanupStore.release(instance, 'released', { from: ['assigned', 'ready', 'warming'] })).toEqual({
      kind: 'unchanged',
    });
    await expect(store.cleanupStore.deleteRecord(instance)).rejects.toThrow('may not be deleted');
    expect(await store.cleanupStore.overdue(10)).toEqual([]);
    await store.valkey.zadd(keys.leaving('tiny'), Date.now() - 1, id);
    expect((await store.cleanupStore.overdue(10)).map((record) => record.id)).toEqual([id]);
    expect(await store.cleanupStore.overdue(10)).toEqual([]);
    expect(await store.cleanupStore.release(instance, 'abandoned', { from: ['quarantined'] })).toMatchObject({
      kind: 'releasing',
    });
    expect(await store.cleanupStore.quarantine(instance, 'the engine still refuses')).toBe(4_000);
  });

  it('take the steps of a cleanup in their order only', async () => {
    await fillPool(store, tiny);
    const { id } = await claimed(store);
    const { instance } = await viewOf(store, id);
    await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
    await expect(store.cleanupStore.coolPort(instance)).rejects.toThrow('not that far in its cleanup');
    await expect(store.cleanupStore.deleteRecord(instance)).rejects.toThrow('not that far in its cleanup');
    await store.cleanupStore.recordContainerGone(instance);
    await expect(store.cleanupStore.deleteRecord(instance)).rejects.toThrow('not that far in its cleanup');
    await store.cleanupStore.coolPort(instance);
    expect((await viewOf(store, id)).instance).toMatchObject({ step: 'port_cooling', port: null });
    await store.cleanupStore.recordContainerGone(instance);
    expect((await viewOf(store, id)).instance.step).toBe('port_cooling');
    await store.cleanupStore.deleteRecord(instance);
    await store.cleanupStore.deleteRecord(instance);
    expect(await store.claimStore.find(id)).toBeUndefined();
    await expectPortsToBalance(store);
  });

  it('keep a database until its container is gone, and a port until the database is', async () => {
    const [id = ''] = await store.provisioningStore.reserveTickets(tiny);
    const begun = await store.provisioningStore.beginAttempt(tiny, {
      id,
      attempt: newAttempt(),
      version: templateVersion(tiny),
      database: 'tin_some',
    });
    if (begun.kind !== 'begun') throw new Error(begun.kind);
    const instance = await store.provisioningStore.allocatePort(begun.instance);
    await store.cleanupStore.release(instance, 'provision_failed', { from: ['warming'] });
    await expect(store.cleanupStore.recordDatabaseDropped(instance)).rejects.toThrow('not that far in its cleanup');
    await store.cleanupStore.recordContainerGone(instance);
    await expect(store.cleanupStore.coolPort(instance)).rejects.toThrow('not that far in its cleanup');
    await store.cleanupStore.recordDatabaseDropped(instance);
    await store.cleanupStore.coolPort(instance);
    await store.cleanupStore.deleteRecord(instance);
    expect(await store.claimStore.find(id)).toBeUndefined();
  });
});

it('tells in one look of which templates anything is due', async () => {
  const other = template({ name: 'other', ttl: { defaultMs: 60_000, maxMs: 60_000 } });
  const none = new Set();
  await fillPool(store, tiny);
  const { id } = await claimed(store);
  expect(await store.cleanupStore.due([tiny, other])).toEqual({
    expired: none,
    aged: none,
    overdue: none,
    drained: none,
  });

  const now = await storeClockMs(store.valkey);
  await store.valkey.sadd(keys.templates, 'gone');
  await store.valkey.zadd(keys.assigned('tiny'), now - 1, id);
  await store.valkey.zadd(keys.ready('other'), now + 30_000, 'old');
  // Nobody can say what a visit takes of one that is not offered.
  await store.valkey.zadd(keys.ready('gone'), now - 1, 'older');
  await store.valkey.zadd(keys.leaving('gone'), now - 1, 'stuck', now + 60_000, 'resting');
  await store.controls.drain('other', undefined, undefined);
  expect(await store.cleanupStore.due([tiny, other])).toEqual({
    expired: new Set(['tiny']),
    aged: new Set(['other']),
    overdue: new Set(['gone']),
    drained: new Set(['other']),
  });
});

it('brings a cleanup up again at once that could not be queued', async () => {
  await fillPool(store, tiny);
  const { instance } = await viewOf(store, (await claimed(store)).id);
  await store.cleanupStore.markOverdue(instance);
  await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
  expect(await store.cleanupStore.overdue(10)).toEqual([]);
  // Also where no memory is left.
  await store.valkey.config('SET', 'maxmemory', '1');
  await store.cleanupStore.markOverdue(instance);
  const overdue = [await store.cleanupStore.overdue(10), await store.cleanupStore.overdue(10)];
  await store.valkey.config('SET', 'maxmemory', '0');
  expect(overdue.map((each) => each.map(({ id }) => id))).toEqual([[instance.id], []]);
});
