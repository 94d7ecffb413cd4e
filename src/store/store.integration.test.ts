import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClaimRequest } from '../pool/interfaces/claim-store.ts';
import type { AttemptDraft } from '../pool/interfaces/provisioning-store.ts';
import { newAttempt, newInstanceId } from '../domain/ids.ts';
import { templateVersion } from '../domain/template.ts';
import { eventually } from '../../test/support/eventually.ts';
import { startStore, fillPool, warm, type TestStore } from '../../test/support/store.ts';
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

const tiny = template();
const click = (overrides: Partial<ClaimRequest> = {}): ClaimRequest => ({
  template: tiny,
  clientKey: '203.0.113.7',
  owner: 'visitor',
  idempotencyKey: undefined,
  ttlMs: tiny.ttl.defaultMs,
  ...overrides,
});
const taken = async (overrides: Partial<ClaimRequest> = {}) => {
  const outcome = await store.claimStore.claim(click(overrides));
  if (outcome.kind !== 'taken' && outcome.kind !== 'again')
    throw new Error(`expected an instance, got ${outcome.kind}`);
  return outcome;
};
const draft = (id: string): AttemptDraft => ({
  id,
  attempt: newAttempt(),
  version: templateVersion(tiny),
  database: undefined,
});
const viewOf = async (id: string) => {
  const view = await store.claimStore.find(id);
  if (view === undefined) throw new Error(`no record of ${id}`);
  return view;
};

/** Every port is in exactly one of the three sets. */
async function expectPortsToBalance(): Promise<void> {
  const [available, cooling, held] = await Promise.all([
    store.valkey.smembers(keys.availablePorts('node0')),
    store.valkey.zrange(keys.coolingPorts('node0'), 0, -1),
    store.valkey.hkeys(keys.heldPorts('node0')),
  ]);
  const all = [...available, ...cooling, ...held].map(Number).sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: 100 }, (_, at) => store.portRange.start + at));
}

describe('take', () => {
  it('hands out the oldest ready instance and sets owner, deadline and generation', async () => {
    const [first] = await fillPool(store, template({ pool: { ...tiny.pool, target: 1 } }));
    await fillPool(store, tiny);
    const outcome = await taken();
    expect(outcome.id).toBe(first?.id);
    const { instance, nowMs } = await viewOf(outcome.id);
    expect(instance).toMatchObject({
      state: 'assigned',
      owner: 'visitor',
      deadlineMs: outcome.deadlineMs,
      label: outcome.label,
    });
    expect(instance.generation).toBeGreaterThan(first?.generation ?? Infinity);
    expect(outcome.deadlineMs - nowMs).toBeLessThanOrEqual(tiny.ttl.defaultMs);
    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ ready: 2, assigned: 1 });
  });

  it('is one round trip: a single command reaches Valkey', async () => {
    await fillPool(store, tiny);
    const calls = async () => {
      const lines = (await store.valkey.info('commandstats'))
        .split('\n')
        .filter((line) => line.startsWith('cmdstat_') && !line.startsWith('cmdstat_info'));
      return new Map(lines.map((line) => [line.split(':')[0] ?? '', Number(/calls=(\d+)/.exec(line)?.[1])]));
    };
    const monitor = await store.valkey.monitor();
    const seen: { command: string; fromLua: boolean }[] = [];
    monitor.on('monitor', (_time: string, [command = '']: string[], source: string) =>
      seen.push({ command: command.toLowerCase(), fromLua: source === 'lua' }),
    );
    const before = await calls();
    await taken({ idempotencyKey: 'once' });
    const after = await calls();
    expect((after.get('cmdstat_evalsha') ?? 0) - (before.get('cmdstat_evalsha') ?? 0)).toBe(1);
    await eventually(() => expect(seen.filter(({ command }) => command === 'info')).toHaveLength(2));
    monitor.disconnect();
    expect(seen.filter(({ fromLua, command }) => !fromLua && command !== 'info').map(({ command }) => command)).toEqual(
      ['evalsha'],
    );
  });

  it('gives 200 at once exactly the 20 there are, all different', async () => {
    const many = template({ pool: { target: 20, max: 20, replenishThreshold: 0 } });
    await fillPool(store, many);
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, at) => store.claimStore.claim(click({ template: many, owner: `visitor-${at}` }))),
    );
    const ids = outcomes.flatMap((outcome) => (outcome.kind === 'taken' ? [outcome.id] : []));
    expect(new Set(ids).size).toBe(20);
    expect(ids).toHaveLength(20);
    expect(outcomes.filter(({ kind }) => kind === 'empty')).toHaveLength(180);
  });

  it('leaves instances alone that have less life left than a visit', async () => {
    await fillPool(store, template({ maxAgeMs: tiny.ttl.defaultMs - 1_000 }));
    expect(await store.claimStore.claim(click())).toEqual({ kind: 'empty' });
    expect(await store.cleanupStore.agedIdle(tiny, 10)).toHaveLength(3);
    const [young] = await fillPool(store, template({ pool: { ...tiny.pool, target: 4 } }));
    expect((await taken()).id).toBe(young?.id);
    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ ready: 3 });
  });

  it('answers the same key of the same owner with the same instance, until it has ended', async () => {
    await fillPool(store, tiny);
    const first = await taken({ idempotencyKey: 'k' });
    expect(await store.claimStore.claim(click({ idempotencyKey: 'k' }))).toMatchObject({
      kind: 'again',
      id: first.id,
      deadlineMs: first.deadlineMs,
    });
    expect((await taken({ idempotencyKey: 'k', owner: 'somebody else' })).id).not.toBe(first.id);
    await store.cleanupStore.release((await viewOf(first.id)).instance, 'released', { from: ['assigned'] });
    expect(await store.claimStore.claim(click({ idempotencyKey: 'k' }))).toMatchObject({ kind: 'taken' });
  });

  it('forgets a key when its instance can be held no longer', async () => {
    await fillPool(store, tiny);
    await taken({ idempotencyKey: 'k' });
    const [key] = await store.valkey.keys('idempotency:*');
    const lifeMs = await store.valkey.pttl(key ?? '');
    expect(lifeMs).toBeGreaterThan(tiny.ttl.defaultMs);
    expect(lifeMs).toBeLessThanOrEqual(tiny.ttl.maxMs);
  });

  it('refuses a key that stands for another template', async () => {
    const other = template({ name: 'other' });
    await fillPool(store, tiny);
    await fillPool(store, other);
    await taken({ idempotencyKey: 'k' });
    expect(await store.claimStore.claim(click({ template: other, idempotencyKey: 'k' }))).toEqual({
      kind: 'key_reused',
    });
  });

  it('passes over an index entry that no record backs', async () => {
    await fillPool(store, tiny);
    await store.valkey.zadd(keys.ready('tiny'), Date.now() + tiny.ttl.defaultMs + 10_000, newInstanceId());
    expect((await taken()).kind).toBe('taken');
    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ ready: 2, assigned: 1 });
  });
});

describe('rate limits', () => {
  it('count what was handed out, by the hour and by the day, and say when to come back', async () => {
    await using limited = await startStore({ limits: { hourly: 2, daily: 3 } });
    await fillPool(limited, template({ pool: { ...tiny.pool, target: 10 } }));
    expect(await limited.claimStore.claim(click())).toMatchObject({ kind: 'taken' });
    expect(await limited.claimStore.claim(click())).toMatchObject({ kind: 'taken' });
    const refused = await limited.claimStore.claim(click());
    expect(refused).toMatchObject({ kind: 'limited', window: 'hourly' });
    if (refused.kind === 'limited') expect(refused.retryAfterMs).toBeGreaterThan(3_500_000);
    expect(await limited.claimStore.claim(click({ clientKey: '203.0.113.8' }))).toMatchObject({ kind: 'taken' });
    await limited.valkey.del(keys.hourlyRate('203.0.113.7'));
    expect(await limited.claimStore.claim(click())).toMatchObject({ kind: 'taken' });
    expect(await limited.claimStore.claim(click())).toMatchObject({ kind: 'limited', window: 'daily' });
  });

  it('do not count refusals: an empty pool costs a visitor nothing', async () => {
    await using limited = await startStore({ limits: { hourly: 1, daily: 1 } });
    expect(await limited.claimStore.claim(click())).toEqual({ kind: 'empty' });
    await fillPool(limited, tiny);
    expect(await limited.claimStore.claim(click())).toMatchObject({ kind: 'taken' });
  });
});

describe('extend', () => {
  it('moves the deadline, once for each generation', async () => {
    await fillPool(store, tiny);
    const { id, deadlineMs } = await taken();
    const { instance } = await viewOf(id);
    expect(await store.claimStore.extend(instance, 60_000, tiny.ttl.maxMs)).toMatchObject({
      kind: 'extended',
      deadlineMs: deadlineMs + 60_000,
    });
    expect(await store.claimStore.extend(instance, 60_000, tiny.ttl.maxMs)).toEqual({ kind: 'conflict' });
    expect((await viewOf(id)).instance.deadlineMs).toBe(deadlineMs + 60_000);
  });

  it('stops at the longest stay', async () => {
    await fillPool(store, tiny);
    const { id } = await taken();
    const first = (await viewOf(id)).instance;
    const latestDeadlineMs = (first.assignedAtMs ?? 0) + tiny.ttl.maxMs;
    expect(await store.claimStore.extend(first, 3_600_000, tiny.ttl.maxMs)).toMatchObject({
      kind: 'extended',
      deadlineMs: latestDeadlineMs,
    });
    expect(await store.claimStore.extend((await viewOf(id)).instance, 60_000, tiny.ttl.maxMs)).toEqual({
      kind: 'limit',
      latestDeadlineMs,
    });
  });

  it('cannot bring back what has expired, and what was extended does not expire', async () => {
    await fillPool(store, tiny);
    const over = await taken({ ttlMs: 1 });
    const { instance } = await viewOf(over.id);
    await eventually(async () => expect((await store.cleanupStore.expired(10)).map(({ id }) => id)).toEqual([over.id]));
    expect(await store.claimStore.extend(instance, 60_000, tiny.ttl.maxMs)).toEqual({ kind: 'not_assigned' });

    const running = await taken();
    const stale = (await viewOf(running.id)).instance;
    expect(await store.cleanupStore.release(stale, 'expired', { from: ['assigned'], onlyIfExpired: true })).toEqual({
      kind: 'unchanged',
    });
    expect(
      await store.cleanupStore.release(instance, 'expired', { from: ['assigned'], onlyIfExpired: true }),
    ).toMatchObject({ kind: 'releasing' });
  });
});

describe('releases', () => {
  it('stop the name, rest the port, then delete the record, in no other order', async () => {
    await fillPool(store, tiny);
    const { id, label } = await taken();
    const { instance } = await viewOf(id);
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
    await expectPortsToBalance();
  });

  it('follow the lifecycle table: a quarantined instance only leaves through releasing', async () => {
    await fillPool(store, tiny);
    const { id } = await taken();
    const { instance } = await viewOf(id);
    await store.cleanupStore.quarantine(instance, 'too early');
    expect((await viewOf(id)).instance.state).toBe('assigned');
    await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
    expect(await store.cleanupStore.quarantine(instance, 'the engine refuses')).toBe(2_000);
    expect((await viewOf(id)).instance).toMatchObject({
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
    const { id } = await taken();
    const { instance } = await viewOf(id);
    await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
    await expect(store.cleanupStore.coolPort(instance)).rejects.toThrow('not that far in its cleanup');
    await expect(store.cleanupStore.deleteRecord(instance)).rejects.toThrow('not that far in its cleanup');
    await store.cleanupStore.recordContainerGone(instance);
    await expect(store.cleanupStore.deleteRecord(instance)).rejects.toThrow('not that far in its cleanup');
    await store.cleanupStore.coolPort(instance);
    expect((await viewOf(id)).instance).toMatchObject({ step: 'port_cooling', port: null });
    await store.cleanupStore.recordContainerGone(instance);
    expect((await viewOf(id)).instance.step).toBe('port_cooling');
    await store.cleanupStore.deleteRecord(instance);
    await store.cleanupStore.deleteRecord(instance);
    expect(await store.claimStore.find(id)).toBeUndefined();
    await expectPortsToBalance();
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
    const { id } = await taken();
    await taken();
    expect(await store.provisioningStore.reserveTickets(tight)).toHaveLength(1);
    await store.cleanupStore.release((await viewOf(id)).instance, 'released', { from: ['assigned'] });
    expect(await store.provisioningStore.reserveTickets(tight)).toEqual([]);
  });

  it('waits until more than the threshold is missing, then goes on to the target', async () => {
    const lazy = template({ pool: { target: 4, max: 20, replenishThreshold: 0.25 } });
    await fillPool(store, lazy);
    await taken();
    expect(await store.provisioningStore.reserveTickets(lazy)).toEqual([]);
    await taken();
    expect(await store.provisioningStore.reserveTickets(lazy)).toHaveLength(2);
  });

  it('fills an empty pool whatever the threshold', async () => {
    expect(
      await store.provisioningStore.reserveTickets(template({ pool: { ...tiny.pool, replenishThreshold: 1 } })),
    ).toHaveLength(3);
  });

  it('drops work whose ticket was taken away, and pauses a template that fails', async () => {
    const [first = '', second = ''] = await store.provisioningStore.reserveTickets(tiny);
    await store.provisioningStore.cancelTicket('tiny', first);
    expect(await store.provisioningStore.beginAttempt(tiny, draft(first))).toEqual({ kind: 'unwanted' });
    const instance = await warm(store, tiny, second);
    await store.provisioningStore.cancelTicket('tiny', second);
    await expect(store.provisioningStore.markReady(instance, tiny)).rejects.toMatchObject({
      code: 'conflicting_change',
    });
    expect(await store.provisioningStore.renewLease(instance)).toBe(false);
  });

  it('opens the breaker of a template at the third failure in a row, then tries one at a time until one comes up', async () => {
    const [first = '', second = '', third = ''] = await store.provisioningStore.reserveTickets(tiny);
    const fail = () => store.provisioningStore.recordFailure('tiny', 'one');
    expect([await fail(), await fail()]).toEqual([
      { opened: false, pauseMs: 0, failures: 1 },
      { opened: false, pauseMs: 0, failures: 2 },
    ]);
    expect(await fail()).toEqual({ opened: true, pauseMs: 5_000, failures: 3 });
    // One that was under way already fails of the same cause.
    expect(await fail()).toMatchObject({ opened: false, failures: 3 });
    expect(await store.provisioningStore.beginAttempt(tiny, draft(first))).toEqual({ kind: 'paused' });
    expect(await store.provisioningStore.beginAttempt(tiny, draft(first))).toEqual({ kind: 'unwanted' });
    expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
    for (const id of [second, third]) await store.provisioningStore.cancelTicket('tiny', id);

    const pauseIsOver = () => store.valkey.hset(keys.refillPause('tiny'), 'until_ms', 0);
    await pauseIsOver();
    const probes = await store.provisioningStore.reserveTickets(tiny);
    expect(probes).toHaveLength(1);
    expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
    expect(await store.provisioningStore.recordFailure('tiny', 'one', 7_000)).toEqual({
      opened: false,
      pauseMs: 7_000,
      failures: 4,
    });
    await pauseIsOver();
    const instance = await warm(store, tiny, probes[0] ?? '');
    expect(await store.provisioningStore.markReady(instance, tiny)).toEqual({ recovered: true });
    expect(await store.provisioningStore.reserveTickets(tiny)).toHaveLength(2);
  });

  it('forgives a template its failures when it is offered in another version', async () => {
    for (let failure = 0; failure < 3; failure += 1) await store.provisioningStore.recordFailure('tiny', 'one');
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

it('restores the recorded ports when an instance asks for one and there are none', async () => {
  const [id = ''] = await store.provisioningStore.reserveTickets(tiny);
  await store.valkey.del(keys.availablePorts('node0'), keys.coolingPorts('node0'), keys.heldPorts('node0'));
  expect((await warm(store, tiny, id)).port).not.toBeNull();
  await expectPortsToBalance();
});

it("knows what ran a node's instances when it was last announced", async () => {
  await using fresh = await startStore();
  expect(await fresh.registry.engine()).toBeUndefined();
  await fresh.registry.announce('podman');
  expect(await fresh.registry.engine()).toBe('podman');
});

it('brings a cleanup up again at once that could not be queued', async () => {
  await fillPool(store, tiny);
  const { instance } = await viewOf((await taken()).id);
  await store.cleanupStore.markOverdue(instance);
  await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
  expect(await store.cleanupStore.overdue(10)).toEqual([]);
  await store.cleanupStore.markOverdue(instance);
  expect((await store.cleanupStore.overdue(10)).map(({ id }) => id)).toEqual([instance.id]);
  expect(await store.cleanupStore.overdue(10)).toEqual([]);
});

describe('settling', () => {
  it('frees ports and index entries that no record backs, and puts back what is missing', async () => {
    const [kept, lost] = await fillPool(store, tiny);
    if (kept === undefined || lost === undefined) throw new Error('the pool was not filled');
    await store.valkey.hdel(keys.instances, lost.id);
    await store.valkey.zrem(keys.ready('tiny'), kept.id);
    await store.valkey.hdel(keys.hostnames, kept.label);
    await store.valkey.srem(
      keys.availablePorts('node0'),
      ...(await store.valkey.srandmember(keys.availablePorts('node0'), 5)),
    );
    await store.valkey.sadd(keys.availablePorts('node0'), 9_999);

    expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(2);
    expect(await store.inventory.reconcileHostnames(await store.inventory.list())).toBe(2);
    expect(await store.inventory.reconcilePorts()).toBe(7);
    expect(await store.valkey.zscore(keys.ready('tiny'), kept.id)).not.toBeNull();
    expect(await store.valkey.hexists(keys.hostnames, lost.label)).toBe(0);
    expect(await store.valkey.hexists(keys.hostnames, kept.label)).toBe(1);
    await expectPortsToBalance();
    expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(0);
  });

  it('has a warming record without a ticket taken up by the reaper', async () => {
    const [id = '', queued = ''] = await store.provisioningStore.reserveTickets(tiny);
    await warm(store, tiny, id);
    await store.provisioningStore.cancelTicket('tiny', id);
    expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(1);
    expect(await store.inventory.expiredTickets()).toEqual([{ template: 'tiny', id }]);
    expect(await store.valkey.zscore(keys.warming('tiny'), queued)).not.toBeNull();
  });

  it('holds the port of a record again whose entry is lost, and gives it to nobody else', async () => {
    const [available, cooling, nowhere] = await fillPool(store, tiny);
    if (available === undefined || cooling === undefined || nowhere === undefined)
      throw new Error('the pool was not filled');
    const ports = [available, cooling, nowhere].map(({ port }) => String(port));
    await store.valkey.hdel(keys.heldPorts('node0'), ...ports);
    await store.valkey.sadd(keys.availablePorts('node0'), ports[0] ?? '');
    await store.valkey.zadd(keys.coolingPorts('node0'), 1, ports[1] ?? '');
    expect((await store.inventory.inconsistencies(await store.inventory.list())).map(({ why }) => why)).toEqual(
      expect.arrayContaining(['held for nobody, though a record names it']),
    );
    expect(await store.inventory.reconcilePorts()).toBe(3);
    await expectPortsToBalance();
    expect(await store.valkey.hmget(keys.heldPorts('node0'), ...ports)).toEqual([available.id, cooling.id, nowhere.id]);
  });

  it('lets a port rest whose entry was lost before its instance left', async () => {
    const [leaving] = await fillPool(store, tiny);
    if (leaving === undefined) throw new Error('the pool was not filled');
    await store.cleanupStore.release(leaving, 'retired', { from: ['ready'] });
    await store.cleanupStore.recordContainerGone(leaving);
    await store.valkey.hdel(keys.heldPorts('node0'), String(leaving.port));
    await store.valkey.sadd(keys.availablePorts('node0'), String(leaving.port));
    await store.cleanupStore.coolPort(leaving);
    expect(await store.valkey.sismember(keys.availablePorts('node0'), String(leaving.port))).toBe(0);
    expect(await store.valkey.zscore(keys.coolingPorts('node0'), String(leaving.port))).not.toBeNull();
  });

  it('leaves a name of another version alone, whatever has become of its instance', async () => {
    const entry = JSON.stringify({ v: 2, id: newInstanceId(), node: 'node0', port: 1 });
    await store.valkey.hset(keys.hostnames, 'newer', entry);
    await store.valkey.hset(keys.hostnames, 'damaged', 'nonsense');
    expect(await store.inventory.reconcileHostnames(await store.inventory.list())).toBe(1);
    expect(await store.valkey.hget(keys.hostnames, 'newer')).toBe(entry);
    expect(await store.valkey.hexists(keys.hostnames, 'damaged')).toBe(0);
  });

  it('finds what is due behind records that cannot be read', async () => {
    const [sound] = await fillPool(store, tiny);
    if (sound === undefined) throw new Error('the pool was not filled');
    for (const at of [1, 2, 3]) {
      await store.valkey.zadd(keys.assigned('tiny'), at, `unread${at}`);
      await store.valkey.hset(keys.instances, `unread${at}`, '{"v":2}');
    }
    await store.valkey.hset(
      keys.instances,
      sound.id,
      JSON.stringify({ ...sound, state: 'assigned', deadlineMs: 10, owner: 'somebody', assignedAtMs: 1 }),
    );
    await store.valkey.zadd(keys.assigned('tiny'), 10, sound.id);
    for (const limit of [1, 2, 3, 10])
      expect((await store.cleanupStore.expired(limit)).map(({ id }) => id)).toEqual([sound.id]);
  });

  it('skips a record of another version and leaves what hangs on it alone', async () => {
    const [newer] = await fillPool(store, tiny);
    if (newer === undefined) throw new Error('the pool was not filled');
    await store.valkey.hset(keys.instances, newer.id, JSON.stringify({ ...newer, v: 2 }));
    expect((await store.inventory.list()).map(({ id }) => id)).not.toContain(newer.id);
    expect(await store.inventory.isRecorded(newer.id)).toBe(true);
    await store.inventory.reconcilePorts();
    await store.inventory.reconcileIndexes(await store.inventory.list());
    expect(await store.valkey.hget(keys.heldPorts('node0'), String(newer.port))).toBe(newer.id);
  });
});

it('keeps the recorded state consistent under any order of claims, releases and refills', async () => {
  const action = fc.constantFrom('fill', 'take', 'release', 'expire', 'clean', 'fail');
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      await store.clear();
      const held = new Set<string>();
      for (const step of actions) {
        const records = await store.inventory.list();
        const leaving = records.filter(({ state }) => state === 'releasing');
        switch (step) {
          case 'fill':
            await fillPool(store, tiny);
            break;
          case 'take': {
            const outcome = await store.claimStore.claim(click({ ttlMs: 1_000 }));
            if (outcome.kind === 'taken') {
              expect(held.has(outcome.id)).toBe(false);
              held.add(outcome.id);
            }
            break;
          }
          case 'release':
            await Promise.all(
              records
                .slice(0, 1)
                .map((record) => store.cleanupStore.release(record, 'released', { from: ['assigned'] })),
            );
            break;
          case 'expire':
            await Promise.all(
              (await store.cleanupStore.expired(10)).map((record) =>
                store.cleanupStore.release(record, 'expired', { from: ['assigned'], onlyIfExpired: true }),
              ),
            );
            break;
          case 'clean':
            for (const record of leaving) {
              await store.cleanupStore.recordContainerGone(record);
              await store.cleanupStore.coolPort(record);
              await store.cleanupStore.deleteRecord(record);
            }
            break;
          case 'fail': {
            const [id] = await store.provisioningStore.reserveTickets(tiny);
            if (id !== undefined) {
              const instance = await warm(store, tiny, id);
              await store.provisioningStore.cancelTicket('tiny', id);
              await store.cleanupStore.release(instance, 'provision_failed', { from: ['warming'] });
            }
          }
        }
        await expectPortsToBalance();
        const {
          ready = 0,
          assigned = 0,
          warming = 0,
          leaving: out = 0,
        } = (await store.inventory.stats([tiny])).get('tiny') ?? {};
        expect(ready + assigned + warming + out).toBeLessThanOrEqual(tiny.pool.max);
      }
      expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(0);
    }),
    { numRuns: 40 },
  );
});
