import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import { newInstanceId } from '../domain/ids.ts';
import { startStore, fillPool, warm, type TestStore } from '../../test/support/store.ts';
import { claimed, draft, expectPortsToBalance, tiny, viewOf } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import type { Heartbeat } from '../domain/node.ts';
import { keys } from './keys.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

describe('refill', () => {
  it('plans exactly what is missing, no matter who plans at the same time', async () => {
    const ids = (
      await Promise.all(Array.from({ length: 20 }, () => store.provisioningStore.reserveTickets(tiny)))
    ).flat();
    expect(ids).toHaveLength(3);
    expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
  });

  it('never exceeds the capacity, counting those on their way out', async () => {
    const tight = template({ pool: { target: 3, max: 4, replenishThreshold: 0 } });
    await fillPool(store, tight);
    const { id } = await claimed(store);
    await claimed(store);
    expect(await store.provisioningStore.reserveTickets(tight)).toHaveLength(1);
    await store.cleanupStore.release((await viewOf(store, id)).instance, 'released', { from: ['assigned'] });
    expect(await store.provisioningStore.reserveTickets(tight)).toEqual([]);
  });

  it('waits until more than the threshold is missing, then goes on to the target', async () => {
    const lazy = template({ pool: { target: 4, max: 20, replenishThreshold: 0.25 } });
    await fillPool(store, lazy);
    await claimed(store);
    expect(await store.provisioningStore.reserveTickets(lazy)).toEqual([]);
    await claimed(store);
    expect(await store.provisioningStore.reserveTickets(lazy)).toHaveLength(2);
  });

  it('replaces those that are about to go, and not once more when they have gone', async () => {
    const [first, second] = await fillPool(store, tiny);
    const going = [first?.id ?? '', second?.id ?? ''];
    const successors = await store.provisioningStore.reserveTickets(tiny, { going });
    expect(successors).toHaveLength(2);
    for (const id of successors) await store.provisioningStore.markReady(await warm(store, tiny, id), tiny);
    for (const id of going)
      await store.cleanupStore.release((await viewOf(store, id)).instance, 'node_drained', { from: ['ready'] });
    expect(await store.provisioningStore.reserveTickets(tiny, { going })).toEqual([]);
  });

  it('counts those that are about to go in one command, however many are named', async () => {
    const ready = await fillPool(store, tiny);
    const going = [...ready.map(({ id }) => id), ...Array.from({ length: 200 }, () => newInstanceId())];
    await store.valkey.config('RESETSTAT');
    expect(await store.provisioningStore.reserveTickets(tiny, { going })).toHaveLength(ready.length);
    const stats = await store.valkey.info('commandstats');
    const lookups = [...stats.matchAll(/cmdstat_zm?score:calls=(\d+)/g)].map(([, calls]) => Number(calls));
    expect(lookups).toEqual([1]);
  });

  it('fills an empty pool whatever the threshold', async () => {
    expect(
      await store.provisioningStore.reserveTickets(template({ pool: { ...tiny.pool, replenishThreshold: 1 } })),
    ).toHaveLength(3);
  });

  it('drops work whose ticket was taken away, and pauses a template that fails', async () => {
    const [first = '', second = ''] = await store.provisioningStore.reserveTickets(tiny);
    await store.provisioningStore.cancelTickets('tiny', [first]);
    expect(await store.provisioningStore.beginAttempt(tiny, draft(first))).toEqual({ kind: 'unwanted' });
    const instance = await warm(store, tiny, second);
    await store.provisioningStore.cancelTickets('tiny', [second]);
    await expect(store.provisioningStore.markReady(instance, tiny)).rejects.toMatchObject({
      code: 'conflicting_change',
    });
    expect(await store.provisioningStore.renewLease(instance)).toBe(false);
  });

  it('counts a ticket that is given back at no node any more, whichever it was placed on', async () => {
    const [first = '', second = '', third = ''] = await store.provisioningStore.reserveTickets(tiny);
    for (const name of ['node0', 'node7'])
      await store.valkey.hset(keys.nodes, name, JSON.stringify({ v: 1, address: '10.0.0.1', engine: 'simulated' }));
    await store.registry.place('node0', [first, second]);
    await store.registry.place('node7', [third]);
    const placed = async () => (await store.registry.nodes()).map((node) => [node.name, node.placed]);
    await store.provisioningStore.cancelTickets('tiny', [first, third]);
    expect(await placed()).toEqual([
      ['node0', 1],
      ['node7', 0],
    ]);
    await store.valkey.hset(keys.refillPause('tiny'), 'until_ms', Date.now() + 600_000);
    expect(await store.provisioningStore.beginAttempt(tiny, draft(second))).toEqual({ kind: 'paused' });
    expect(await placed()).toEqual([
      ['node0', 0],
      ['node7', 0],
    ]);
  });

  it('opens the breaker of a template at its third failure in a row, then tries one at a time', async () => {
    const [first = '', second = '', third = ''] = await store.provisioningStore.reserveTickets(tiny);
    const fail = () => store.provisioningStore.recordFailure('tiny', 'one');
    expect([await fail(), await fail()]).toEqual([
      { opened: false, pauseMs: 0, failures: 1 },
      { opened: false, pauseMs: 0, failures: 2 },
    ]);
    expect(await fail()).toEqual({ opened: true, pauseMs: 5_000, failures: 3 });
    const pauseUntil = (ms: number) => store.valkey.hset(keys.refillPause('tiny'), 'until_ms', ms);
    await pauseUntil(Date.now() + 600_000);
    // One that was under way already fails of the same cause.
    expect(await fail()).toMatchObject({ opened: false, failures: 3 });
    expect(await store.provisioningStore.beginAttempt(tiny, draft(first))).toEqual({ kind: 'paused' });
    expect(await store.provisioningStore.beginAttempt(tiny, draft(first))).toEqual({ kind: 'unwanted' });
    expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
    await store.provisioningStore.cancelTickets('tiny', [second, third]);

    await pauseUntil(0);
    const probes = await store.provisioningStore.reserveTickets(tiny);
    expect(probes).toHaveLength(1);
    expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
    expect(await store.provisioningStore.recordFailure('tiny', 'one', 7_000)).toEqual({
      opened: false,
      pauseMs: 7_000,
      failures: 4,
    });
    await pauseUntil(0);
    const instance = await warm(store, tiny, probes[0] ?? '');
    expect(await store.provisioningStore.markReady(instance, tiny)).toEqual({ recovered: true });
    expect(await store.provisioningStore.reserveTickets(tiny)).toHaveLength(2);
  });

  it('forgives a template its failures when it is offered in another version', async () => {
    for (let failure = 0; failure < 3; failure += 1) await store.provisioningStore.recordFailure('tiny', 'one');
    await store.valkey.hset(keys.refillPause('tiny'), 'until_ms', Date.now() + 600_000);
    await store.provisioningStore.announceVersion('tiny', 'one');
    expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
    await store.provisioningStore.announceVersion('tiny', 'two');
    expect(await store.provisioningStore.reserveTickets(tiny)).toHaveLength(3);
  });

  it('lets no attempt change what belongs to another, and has one that died make way', async () => {
    await using quick = await startStore({ leaseMs: 0 });
    const [id = ''] = await quick.provisioningStore.reserveTickets(tiny);
    const dead = await warm(quick, tiny, id);
    const found = await quick.provisioningStore.beginAttempt(tiny, draft(id));
    expect(found).toMatchObject({
      kind: 'left_over',
      instance: { id, state: 'releasing', attempt: dead.attempt, port: dead.port },
    });
    expect(await quick.valkey.hexists(keys.hostnames, dead.label)).toBe(0);
    const superseded = { code: 'conflicting_change' };
    await expect(quick.provisioningStore.recordStep(dead, 'answering')).rejects.toMatchObject(superseded);
    await quick.cleanupStore.recordContainerGone(dead);
    await quick.cleanupStore.coolPort(dead);
    await quick.cleanupStore.deleteRecord(dead);
    const successor = await warm(quick, tiny, id);
    expect(successor.container).not.toBe(dead.container);
    expect(successor.label).not.toBe(dead.label);
    for (const attempt of [
      quick.provisioningStore.recordStep(dead, 'activated'),
      quick.provisioningStore.allocatePort(dead),
      quick.provisioningStore.publishHostname(dead),
      quick.provisioningStore.markReady(dead, tiny),
    ]) {
      await expect(attempt).rejects.toMatchObject(superseded);
    }
    expect(await quick.provisioningStore.renewLease(dead)).toBe(false);
    expect(
      await quick.cleanupStore.release(dead, 'provision_failed', { from: ['warming'], attempt: dead.attempt ?? '' }),
    ).toEqual({ kind: 'unchanged' });
    // Nor does a worker that still cleans up after the dead one touch its successor.
    const leaving = await quick.cleanupStore.release(successor, 'provision_failed', { from: ['warming'] });
    if (leaving.kind !== 'releasing') throw new Error('the successor should be releasing');
    await quick.cleanupStore.recordContainerGone(dead);
    await quick.cleanupStore.coolPort(dead);
    await quick.cleanupStore.deleteRecord(dead);
    expect(await quick.cleanupStore.quarantine(dead, 'too late')).toBe(0);
    expect((await quick.claimStore.find(id))?.instance).toEqual(leaving.instance);
  });

  it('hands out nothing whose steps are not all known, as after a failover that lost the last ones', async () => {
    const { provisioningStore } = store;
    const [id = ''] = await provisioningStore.reserveTickets(tiny);
    const begun = await provisioningStore.beginAttempt(tiny, draft(id));
    if (begun.kind !== 'begun') throw new Error(`it should have begun: ${begun.kind}`);
    const instance = await provisioningStore.allocatePort(begun.instance);
    await provisioningStore.recordStep(instance, 'answering');
    const refused = { code: 'conflicting_change' };
    await expect(provisioningStore.publishHostname(instance)).rejects.toMatchObject(refused);
    expect(await store.valkey.hexists(keys.hostnames, instance.label)).toBe(0);
    await provisioningStore.recordStep(instance, 'activated', '/login?token=1');
    await expect(provisioningStore.markReady(instance, tiny)).rejects.toMatchObject(refused);
    // Twice, as when an answer was lost.
    for (let times = 0; times < 2; times += 1) await provisioningStore.publishHostname(instance);
    await provisioningStore.markReady(instance, tiny);
    expect((await store.claimStore.find(id))?.instance).toMatchObject({ state: 'ready', step: 'warmed_up' });
  });

  it('says that an attempt is under way while its lease lasts, and no longer once it is released', async () => {
    const [id = ''] = await store.provisioningStore.reserveTickets(tiny);
    const instance = await warm(store, tiny, id);
    expect(await store.provisioningStore.beginAttempt(tiny, draft(id))).toEqual({ kind: 'underway' });
    await store.provisioningStore.releaseLease(instance);
    expect(await store.provisioningStore.beginAttempt(tiny, draft(id))).toMatchObject({ kind: 'left_over' });
  });

  it('gives an instance one port however often it asks, and says when none is left', async () => {
    await using small = await startStore({ portRange: { start: 21_000, end: 21_000 } });
    const [first = '', second = ''] = await small.provisioningStore.reserveTickets(tiny);
    const instance = await warm(small, tiny, first);
    expect((await small.provisioningStore.allocatePort(instance)).port).toBe(21_000);
    await expect(warm(small, tiny, second)).rejects.toMatchObject({ code: 'no_free_port' });
  });
});

it('gives out no port again that the range no longer holds', async () => {
  await using narrow = await startStore({ portRange: { start: 21_000, end: 21_000 } });
  // Both have rested long enough; the second is of the time when the range was wider.
  await narrow.valkey.del(keys.availablePorts('node0'));
  await narrow.valkey.zadd(keys.coolingPorts('node0'), 1, '21000', 1, '21001');
  const [first = '', second = ''] = await narrow.provisioningStore.reserveTickets(tiny);
  expect((await warm(narrow, tiny, first)).port).toBe(21_000);
  await expect(warm(narrow, tiny, second)).rejects.toMatchObject({ code: 'no_free_port' });
});

it('gives out a port that rests until a clock which was ahead is reached', async () => {
  await using small = await startStore({ portRange: { start: 21_000, end: 21_000 } });
  await small.valkey.del(keys.availablePorts('node0'));
  await small.valkey.zadd(keys.coolingPorts('node0'), Date.now() + YEAR_MS, '21000');
  await small.registry.beat(fleetNode().heartbeat as Heartbeat);
  expect(await small.registry.node('node0')).toMatchObject({ freePorts: 1 });
  const [id = ''] = await small.provisioningStore.reserveTickets(tiny);
  expect((await warm(small, tiny, id)).port).toBe(21_000);
});

it('has an attempt make way whose lease lasts until a clock which was ahead is reached', async () => {
  const [id = ''] = await store.provisioningStore.reserveTickets(tiny);
  const dead = await warm(store, tiny, id);
  expect(await store.provisioningStore.beginAttempt(tiny, draft(id))).toEqual({ kind: 'underway' });
  expect(await store.inventory.idleTickets()).toEqual([]);
  const record = JSON.parse((await store.valkey.hget(keys.instances, id)) ?? '') as object;
  const lease = { leaseUntilMs: Date.now() + YEAR_MS };
  await store.valkey.hset(keys.instances, id, JSON.stringify({ ...record, ...lease }));
  expect((await store.inventory.idleTickets()).map((ticket) => ticket.id)).toEqual([id]);
  expect(await store.provisioningStore.beginAttempt(tiny, draft(id))).toMatchObject({
    kind: 'left_over',
    instance: { id, attempt: dead.attempt },
  });
});

it('restores the recorded ports when an instance asks for one and there are none', async () => {
  const [id = ''] = await store.provisioningStore.reserveTickets(tiny);
  await store.valkey.del(keys.availablePorts('node0'), keys.coolingPorts('node0'), keys.heldPorts('node0'));
  expect((await warm(store, tiny, id)).port).not.toBeNull();
  await expectPortsToBalance(store);
});
