import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newInstanceId } from '../domain/ids.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { keys } from './keys.ts';

const LIMITS = { hourly: 2, daily: 5 };
const tiny = template();
const { target, max } = tiny.pool;

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ limits: LIMITS });
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(() => store.clear());

const click = (clientKey = '203.0.113.7') =>
  store.claimStore.claim({ template: tiny, clientKey, owner: 'visitor', idempotencyKey: undefined, ttlMs: 60_000 });

/** None of them is a whole number that could be meant. */
const NONSENSE = ['abc', '', '-3', '2.5', 'nan', 'inf', '1e300', '99999999999999999999999'];

describe.each(NONSENSE)('%j where a number belongs', (nonsense) => {
  it('among what operators decided and in the breaker is as if it were not there, and taken out', async () => {
    await fillPool(store, tiny);
    const control = { mode: nonsense, since_ms: nonsense, deadline_ms: nonsense, target: nonsense };
    await store.valkey.hset(keys.poolControl('tiny'), control);
    await store.valkey.hset(keys.refillPause('tiny'), { failures: nonsense, until_ms: nonsense });

    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ target });
    expect((await store.controls.read(['tiny'])).get('tiny')).toMatchObject({
      mode: 'open',
      sinceMs: undefined,
      deadlineMs: undefined,
      target: undefined,
      targetUntilMs: undefined,
    });
    expect((await store.breakers.read(['tiny'])).get('tiny')).toEqual({
      open: false,
      failures: 0,
      pauseMs: 0,
      unhealthy: 0,
    });
    const taken = await click();
    if (taken.kind !== 'taken') throw new Error(taken.kind);
    const view = await store.claimStore.find(taken.id);
    if (view === undefined) throw new Error('the instance is gone');
    expect(await store.claimStore.extend(view.instance, 60_000, 3_600_000)).toMatchObject({ kind: 'extended' });
    expect(await store.provisioningStore.reserveTickets(tiny)).toHaveLength(1);
    await store.valkey.hset(keys.poolControl('tiny'), 'mode', 'draining');
    expect(await store.cleanupStore.drainable('tiny', 10)).toHaveLength(target - 1);
    await store.valkey.hset(keys.poolControl('tiny'), 'mode', nonsense);

    const found = (await store.inventory.inconsistencies(await store.inventory.list())).filter(
      ({ kind }) => kind === 'setting',
    );
    expect(found.map(({ what }) => what)).toEqual([
      ...Object.keys(control).map((field) => `pool_control:tiny ${field}`),
      'refill_pause:tiny failures',
      'refill_pause:tiny until_ms',
    ]);
    expect(await store.inventory.reconcileSettings()).toBe(6);
    expect(await store.valkey.exists(keys.poolControl('tiny'), keys.refillPause('tiny'))).toBe(0);
    expect(await store.inventory.reconcileSettings()).toBe(0);
  });

  it('in a counter begins again', async () => {
    await fillPool(store, tiny);
    const [hourly, daily] = [keys.hourlyRate('203.0.113.7'), keys.dailyRate('203.0.113.7')];
    await store.valkey.mset(hourly, nonsense, daily, nonsense);
    expect(await click()).toMatchObject({ kind: 'taken' });
    expect(await store.valkey.mget(hourly, daily)).toEqual(['1', '1']);
    for (const window of [hourly, daily]) expect(await store.valkey.pttl(window)).toBeGreaterThan(0);
    await store.valkey.mset(hourly, nonsense, daily, nonsense);
    await store.claimStore.uncountClaim('203.0.113.7');

    await store.valkey.hset(keys.refillPause('tiny'), { failures: nonsense, until_ms: nonsense });
    expect(await store.provisioningStore.recordFailure('tiny', '1')).toEqual({
      opened: false,
      pauseMs: 0,
      failures: 1,
    });
    await store.promotions.promote('tiny', 'abcdef0123456789');
    await store.valkey.hset(keys.restores('tiny'), 'failures', nonsense);
    expect(await store.promotions.status('tiny')).toMatchObject({ failures: 0, withdrawn: undefined });
    expect(await store.promotions.restoreFailed('tiny', 'abcdef0123456789')).toMatchObject({ withdrawn: false });
    await store.valkey.hset(keys.restorePause('tiny', 'node0'), { failures: nonsense, until_ms: nonsense });
    expect(await store.promotions.pausedMs('tiny')).toBe(0);
    expect(await store.promotions.restoreFailed('tiny', 'abcdef0123456789')).toMatchObject({ pauseMs: 0 });
  });

  it('in the count of claims is a store that forgot: idle instances are retired, and it counts on', async () => {
    await fillPool(store, tiny);
    await click();
    await store.valkey.set(keys.claimCount, nonsense);
    expect(await click('203.0.113.8')).toMatchObject({ kind: 'empty' });
    await fillPool(store, tiny);
    expect(await click('203.0.113.9')).toMatchObject({ kind: 'taken' });
    expect(Number(await store.valkey.get(keys.claimCount))).toBe(store.rollbackGuard.seen);
  });

  it('among the ports is handed to nobody, reported, and taken out', async () => {
    const available = keys.availablePorts('node0');
    await store.inventory.reconcilePorts();
    await store.valkey.del(available);
    await store.valkey.sadd(available, nonsense);
    await store.valkey.zadd(keys.coolingPorts('node0'), 1, `${nonsense}x`);
    const [id = ''] = await store.provisioningStore.reserveTickets(tiny);
    const begun = await store.provisioningStore.beginAttempt(tiny, {
      id,
      attempt: 'a',
      version: '1',
      database: undefined,
    });
    if (begun.kind !== 'begun') throw new Error(begun.kind);
    const { port } = await store.provisioningStore.allocatePort(begun.instance);
    expect(port).toBeGreaterThanOrEqual(store.portRange.start);
    expect(await store.valkey.zcard(keys.coolingPorts('node0'))).toBe(0);

    await store.valkey.sadd(available, nonsense);
    expect(await store.inventory.inconsistentPorts(await store.inventory.list())).toEqual([
      { kind: 'port', what: nonsense, why: 'outside of the range' },
    ]);
    expect(await store.inventory.reconcilePorts()).toBe(1);
    expect(await store.inventory.reconcilePorts()).toBe(0);
  });
});

it('a target above what may exist is cut there, for everybody who asks', async () => {
  await store.valkey.hset(keys.poolControl('tiny'), 'target', max + 181);
  expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ target: max, capacity: max });
  let reserved = 0;
  for (let round = 0; round < 3; round += 1) reserved += (await store.provisioningStore.reserveTickets(tiny)).length;
  expect(reserved).toBe(max);
});

it('a pause that ends in years holds nothing up', async () => {
  await fillPool(store, tiny);
  await click();
  await store.valkey.hset(keys.refillPause('tiny'), { failures: 1, until_ms: 4_000_000_000_000 });
  expect((await store.breakers.read(['tiny'])).get('tiny')).toMatchObject({ pauseMs: 0 });
  expect(await store.provisioningStore.reserveTickets(tiny)).toHaveLength(1);
});

it('a limit that never ends by itself ends an hour from now', async () => {
  await store.valkey.set(keys.hourlyRate('203.0.113.7'), LIMITS.hourly);
  const limited = await click();
  expect(limited).toMatchObject({ kind: 'limited', window: 'hourly' });
  expect(limited.kind === 'limited' ? limited.retryAfterMs : 0).toBeGreaterThan(3_500_000);
});

it.each([
  ['ready', { endOfLifeMs: null }],
  ['ready', { generation: 'x' }],
  ['ready', { port: 'x' }],
  ['ready', { node: 7 }],
  ['assigned', { deadlineMs: null }],
  ['assigned', { assignedAtMs: 'x' }],
])('a record that is %s with %j is passed over by every script, and left alone', async (state, wrong) => {
  const [first] = await fillPool(store, tiny);
  if (first === undefined) throw new Error('the pool was not filled');
  const times = { assignedAtMs: 1, deadlineMs: 1, endOfLifeMs: 1 };
  const text = JSON.stringify({ ...first, ...times, state, ...wrong });
  await store.valkey.hset(keys.instances, first.id, text);
  await store.valkey.zadd(state === 'ready' ? keys.ready('tiny') : keys.assigned('tiny'), 4e12, first.id);
  expect((await store.inventory.list()).map(({ id }) => id)).not.toContain(first.id);
  for (let taken = 1; taken < target; taken += 1) expect(await click(newInstanceId())).toMatchObject({ kind: 'taken' });
  const left = await click(newInstanceId());
  expect(left.kind === 'taken' ? left.id : left.kind).not.toBe(first.id);
  const instance = { ...first, state: 'assigned' as const };
  expect(await store.claimStore.extend(instance, 1_000, 60_000)).toEqual({ kind: 'unknown' });
  expect(await store.cleanupStore.release(instance, 'expired', { from: ['ready', 'assigned'] })).toEqual({
    kind: 'unchanged',
  });
  await store.inventory.reconcileIndexes(await store.inventory.list());
  await store.inventory.reconcilePorts();
  expect(await store.valkey.hget(keys.instances, first.id)).toBe(text);
});
