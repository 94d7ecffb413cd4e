import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newHostLabel, newInstanceId, ownersKey } from '../domain/ids.ts';
import { eventually } from '../../test/support/eventually.ts';
import { startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { claimed, click, funnelOf, tiny, viewOf } from '../../test/support/store-cases.ts';
import { storeClockMs, untilPast } from '../../test/support/store-traffic.ts';
import { template } from '../../test/support/templates.ts';
import type { ClaimRequest } from '../pool/interfaces/claim-store.ts';
import { keys } from './keys.ts';

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

/** How many scripts have run. */
const evaluated = async () =>
  Number(/cmdstat_evalsha:calls=(\d+)/.exec(await store.valkey.info('commandstats'))?.[1] ?? 0);

describe("what an activation gave for its visitor's first step", () => {
  const signedIn = async () => {
    const [instance] = await fillPool(store, template({ pool: { ...tiny.pool, target: 1 } }), '/login?token=secret');
    return instance?.id ?? '';
  };

  it('is handed out once, to the owner alone, and only while it is theirs', async () => {
    const id = await signedIn();
    expect(await store.claimStore.takeLanding(id, 'visitor')).toBeUndefined();
    expect(await claimed(store)).toMatchObject({ id, hasLanding: true });
    const { generation } = (await viewOf(store, id)).instance;
    expect(await store.claimStore.takeLanding(id, 'somebody else')).toBeUndefined();
    const taken = await Promise.all(Array.from({ length: 5 }, () => store.claimStore.takeLanding(id, 'visitor')));
    expect(taken.filter((landing) => landing !== undefined)).toEqual(['/login?token=secret']);
    expect((await viewOf(store, id)).instance.generation).toBe(generation);
    expect(await store.valkey.hget(keys.instances, id)).not.toContain('secret');
  });

  it('is in no record that anybody else gets to see', async () => {
    const id = await signedIn();
    expect(JSON.stringify(await store.inventory.list())).not.toContain('secret');
    expect(JSON.stringify(await viewOf(store, id))).not.toContain('secret');
    await claimed(store, { idempotencyKey: 'once' });
    expect(await claimed(store, { idempotencyKey: 'once' })).toMatchObject({ kind: 'again', hasLanding: true });
    expect((await store.claimStore.findByLabel((await viewOf(store, id)).instance.label))?.instance.id).toBe(id);
    expect(JSON.stringify(await store.claimStore.findByLabel((await viewOf(store, id)).instance.label))).not.toContain(
      'secret',
    );
  });
});

it('no host name, no instance', async () => {
  expect(await store.claimStore.findByLabel(newHostLabel())).toBeUndefined();
});

describe('take', () => {
  it('hands out the oldest ready instance and sets owner, deadline and generation', async () => {
    const [first] = await fillPool(store, template({ pool: { ...tiny.pool, target: 1 } }));
    // Of two of the same millisecond either may be the oldest.
    await untilPast(store.valkey, await storeClockMs(store.valkey));
    await fillPool(store, tiny);
    const outcome = await claimed(store);
    expect(outcome.id).toBe(first?.id);
    const { instance, nowMs } = await viewOf(store, outcome.id);
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

  it('leaves what is ready on avoided nodes where it is, and says of the rest how it stands', async () => {
    await fillPool(store, tiny);
    const ready = () => store.valkey.zrange(keys.ready('tiny'), 0, -1, 'WITHSCORES');
    const before = await ready();
    expect(await store.claimStore.claim(click({ avoided: ['node1', 'node0'] }))).toMatchObject({
      kind: 'empty',
      refill: { kind: 'preparing' },
    });
    expect(await ready()).toEqual(before);
    expect(await claimed(store, { avoided: ['node1'] })).toMatchObject({ kind: 'taken', node: 'node0' });
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
    await claimed(store, { idempotencyKey: 'once' });
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

  it('sends the claims of one turn together, and answers each by itself', async () => {
    const many = template({ pool: { target: 3, max: 3, replenishThreshold: 0 } });
    await fillPool(store, many);
    const [before, counted] = [await evaluated(), Number(await store.valkey.get(keys.claimCount))];
    const claim = (owner: string, changes: Partial<ClaimRequest> = {}) =>
      store.claimStore.claim(click({ template: many, owner, ...changes }));
    const [first, again, other, third, none] = await Promise.all([
      claim('one', { idempotencyKey: 'once' }),
      claim('one', { idempotencyKey: 'once' }),
      claim('two', { idempotencyKey: 'once' }),
      claim('three'),
      claim('four'),
    ]);
    expect((await evaluated()) - before).toBe(1);
    expect(again).toMatchObject({ kind: 'again', id: (first as { id: string }).id });
    expect([first, other, third].map(({ kind }) => kind)).toEqual(['taken', 'taken', 'taken']);
    expect(new Set([first, other, third].map((outcome) => (outcome as { id: string }).id)).size).toBe(3);
    expect(none.kind).toBe('empty');
    expect(Number(await store.valkey.get(keys.claimCount)) - counted).toBe(3);
    expect((await funnelOf(store)).toSorted((one, two) => one.step.localeCompare(two.step))).toEqual([
      { template: many.name, site: 'direct', step: 'clicked', reason: undefined, count: 3 },
      { template: many.name, site: 'direct', step: 'handed_over', reason: undefined, count: 3 },
    ]);
  });

  it('sends sixteen of one turn at a time, and serves them in their order', async () => {
    const many = template({ pool: { target: 20, max: 20, replenishThreshold: 0 } });
    await fillPool(store, many);
    const before = await evaluated();
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, at) => store.claimStore.claim(click({ template: many, owner: `visitor-${at}` }))),
    );
    expect((await evaluated()) - before).toBe(3);
    expect(outcomes.map(({ kind }) => kind)).toEqual([
      ...Array<string>(20).fill('taken'),
      ...Array<string>(20).fill('empty'),
    ]);
  });

  it('serves the others when the store fails in the middle of one', async () => {
    await fillPool(store, tiny);
    await store.valkey.rpush(keys.idempotency(ownersKey('unlucky', 'key')), 'no string');
    const [unlucky, lucky] = await Promise.allSettled([
      store.claimStore.claim(click({ owner: 'unlucky', idempotencyKey: 'key' })),
      store.claimStore.claim(click({ owner: 'lucky' })),
    ]);
    expect(unlucky).toMatchObject({
      status: 'rejected',
      reason: { code: 'store_unavailable', message: expect.stringContaining('WRONGTYPE') as string },
    });
    expect(lucky).toMatchObject({ status: 'fulfilled', value: { kind: 'taken' } });
    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ ready: 2, assigned: 1 });
  });

  it('says of an empty pool what is done about it', async () => {
    const refill = async (changes: Parameters<typeof template>[0] = {}) => {
      const outcome = await store.claimStore.claim(click({ template: template({ name: 'tiny', ...changes }) }));
      return outcome.kind === 'empty' ? outcome.refill : outcome;
    };
    const off = { pool: { ...tiny.pool, target: 0 } };
    expect(await refill()).toEqual({ kind: 'preparing' });
    expect(await refill(off)).toEqual({ kind: 'off' });
    await store.controls.setTarget('tiny', 1);
    expect(await refill(off)).toEqual({ kind: 'preparing' });
    await store.controls.setTarget('tiny', 0);
    expect(await refill()).toEqual({ kind: 'off' });
    await store.valkey.zadd(keys.warming('tiny'), Date.now() + 60_000, newInstanceId());
    expect(await refill()).toEqual({ kind: 'preparing' });
    await store.valkey.hset(keys.poolControl('tiny'), 'target', 'many');
    await store.valkey.del(keys.warming('tiny'));
    expect(await refill()).toEqual({ kind: 'preparing' });

    await store.controls.setTarget('tiny', undefined);
    await store.valkey.hset(keys.refillPause('tiny'), { failures: 3, until_ms: Date.now() + 60_000 });
    const failing = await refill();
    expect(failing).toMatchObject({ kind: 'failing', failures: 3 });
    expect((failing as { retryInMs: number }).retryInMs).toBeGreaterThan(30_000);
    await store.valkey.del(keys.refillPause('tiny'));

    await fillPool(store, tiny);
    for (let count = 0; count < tiny.pool.target; count += 1) await claimed(store);
    expect(await refill({ pool: { ...tiny.pool, max: tiny.pool.target } })).toEqual({
      kind: 'full',
      inUse: tiny.pool.target,
    });
  });

  it('leaves instances alone that have less life left than a visit', async () => {
    await fillPool(store, template({ maxAgeMs: tiny.ttl.defaultMs - 1_000 }));
    expect(await store.claimStore.claim(click())).toMatchObject({ kind: 'empty' });
    expect(await store.cleanupStore.agedIdle(tiny, 10)).toHaveLength(3);
    const [young] = await fillPool(store, template({ pool: { ...tiny.pool, target: 4 } }));
    expect((await claimed(store)).id).toBe(young?.id);
    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ ready: 3 });
  });

  it('answers the same key of the same owner with the same instance, until it has ended', async () => {
    await fillPool(store, tiny);
    const first = await claimed(store, { idempotencyKey: 'k' });
    expect(await store.claimStore.claim(click({ idempotencyKey: 'k' }))).toMatchObject({
      kind: 'again',
      id: first.id,
      deadlineMs: first.deadlineMs,
    });
    expect((await claimed(store, { idempotencyKey: 'k', owner: 'somebody else' })).id).not.toBe(first.id);
    await store.cleanupStore.release((await viewOf(store, first.id)).instance, 'released', { from: ['assigned'] });
    expect(await store.claimStore.claim(click({ idempotencyKey: 'k' }))).toMatchObject({ kind: 'taken' });
  });

  it('forgets a key when its instance can be held no longer', async () => {
    await fillPool(store, tiny);
    await claimed(store, { idempotencyKey: 'k' });
    const [key] = await store.valkey.keys('idempotency:*');
    const lifeMs = await store.valkey.pttl(key ?? '');
    expect(lifeMs).toBeGreaterThan(tiny.ttl.defaultMs);
    expect(lifeMs).toBeLessThanOrEqual(tiny.ttl.maxMs);
  });

  it('refuses a key that stands for another template', async () => {
    const other = template({ name: 'other' });
    await fillPool(store, tiny);
    await fillPool(store, other);
    await claimed(store, { idempotencyKey: 'k' });
    expect(await store.claimStore.claim(click({ template: other, idempotencyKey: 'k' }))).toEqual({
      kind: 'key_reused',
    });
  });

  it('passes over an index entry that no record backs', async () => {
    await fillPool(store, tiny);
    await store.valkey.zadd(keys.ready('tiny'), Date.now() + tiny.ttl.defaultMs + 10_000, newInstanceId());
    expect((await claimed(store)).kind).toBe('taken');
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
    expect(await limited.claimStore.claim(click())).toMatchObject({ kind: 'empty' });
    await fillPool(limited, tiny);
    expect(await limited.claimStore.claim(click())).toMatchObject({ kind: 'taken' });
  });
});

describe('extend', () => {
  it('moves the deadline, once for each generation', async () => {
    await fillPool(store, tiny);
    const { id, deadlineMs } = await claimed(store);
    const { instance } = await viewOf(store, id);
    expect(await store.claimStore.extend(instance, 60_000, tiny.ttl.maxMs)).toMatchObject({
      kind: 'extended',
      deadlineMs: deadlineMs + 60_000,
    });
    expect(await store.claimStore.extend(instance, 60_000, tiny.ttl.maxMs)).toEqual({ kind: 'conflict' });
    expect((await viewOf(store, id)).instance.deadlineMs).toBe(deadlineMs + 60_000);
  });

  it('gives way to those who wait, where it has to', async () => {
    await fillPool(store, tiny);
    const { instance } = await viewOf(store, (await claimed(store)).id);
    const extend = (givesWay: boolean) =>
      store.claimStore.extend(instance, 60_000, tiny.ttl.maxMs, 'visitor', givesWay);
    await store.valkey.zadd(keys.waitingLeases('tiny'), 1, 'one who left');
    await store.valkey.zadd(keys.waitingLeases('tiny'), Date.now() + 600_000, 'one who waits');
    expect(await extend(true)).toEqual({ kind: 'others_wait' });
    await store.valkey.zrem(keys.waitingLeases('tiny'), 'one who waits');
    expect(await extend(true)).toMatchObject({ kind: 'extended' });
    const { instance: extended } = await viewOf(store, instance.id);
    await store.valkey.zadd(keys.waitingLeases('tiny'), Date.now() + 600_000, 'one who waits');
    expect(await store.claimStore.extend(extended, 60_000, tiny.ttl.maxMs)).toMatchObject({ kind: 'extended' });
  });

  it('stops at the longest stay', async () => {
    await fillPool(store, tiny);
    const { id } = await claimed(store);
    const first = (await viewOf(store, id)).instance;
    const latestDeadlineMs = (first.assignedAtMs ?? 0) + tiny.ttl.maxMs;
    expect(await store.claimStore.extend(first, 3_600_000, tiny.ttl.maxMs)).toMatchObject({
      kind: 'extended',
      deadlineMs: latestDeadlineMs,
    });
    expect(await store.claimStore.extend((await viewOf(store, id)).instance, 60_000, tiny.ttl.maxMs)).toEqual({
      kind: 'limit',
      latestDeadlineMs,
    });
  });

  it('cannot bring back what has expired, and what was extended does not expire', async () => {
    await fillPool(store, tiny);
    const over = await claimed(store, { ttlMs: 1 });
    const { instance } = await viewOf(store, over.id);
    await eventually(async () => expect((await store.cleanupStore.expired(10)).map(({ id }) => id)).toEqual([over.id]));
    expect(await store.claimStore.extend(instance, 60_000, tiny.ttl.maxMs)).toEqual({ kind: 'not_assigned' });

    const running = await claimed(store);
    const stale = (await viewOf(store, running.id)).instance;
    expect(await store.cleanupStore.release(stale, 'expired', { from: ['assigned'], onlyIfExpired: true })).toEqual({
      kind: 'unchanged',
    });
    expect(
      await store.cleanupStore.release(instance, 'expired', { from: ['assigned'], onlyIfExpired: true }),
    ).toMatchObject({ kind: 'releasing' });
  });
});

describe('how many may be held at once', () => {
  const many = template({ pool: { target: 12, max: 20, replenishThreshold: 0 } });
  const held = { network: '203.0.113.7', perClient: 2, perNetwork: 0, perOwner: 0 };
  const asking = (overrides: Parameters<typeof click>[0] = {}) =>
    store.claimStore.claim(click({ template: many, held, ...overrides }));
  const end = async (id: string, reason: 'released' | 'container_lost' = 'released') =>
    store.cleanupStore.release((await viewOf(store, id)).instance, reason, { from: ['assigned'] });

  it('is two of an address, however many ask at once, and a place is free again as soon as one ends', async () => {
    await fillPool(store, many);
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => asking()));
    const taken = outcomes.flatMap((outcome) => (outcome.kind === 'taken' ? [outcome] : []));
    expect(taken).toHaveLength(2);
    const first = Math.min(...taken.map(({ deadlineMs }) => deadlineMs));
    const refused = outcomes.find(({ kind }) => kind === 'limited');
    expect(refused).toMatchObject({
      window: 'held',
      scope: 'client',
      limit: 2,
      held: taken.map(({ deadlineMs }) => ({ template: 'tiny', deadlineMs })),
    });
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeLessThanOrEqual(first);
    expect(await asking({ clientKey: '203.0.113.8', held: { ...held, network: '203.0.113.8' } })).toMatchObject({
      kind: 'taken',
    });

    await end(taken[0]?.id ?? '');
    expect(await asking()).toMatchObject({ kind: 'taken' });
    expect(await asking()).toMatchObject({ kind: 'limited' });
    // An end that nobody has noticed yet.
    await store.valkey.hdel(keys.instances, taken[1]?.id ?? '');
    expect(await asking()).toMatchObject({ kind: 'taken' });
  });

  it('gives a repeat the same one again, and counts what takes the place of a dead one once', async () => {
    await fillPool(store, many);
    const [kept, lost] = [await asking({ idempotencyKey: 'kept' }), await asking({ idempotencyKey: 'lost' })];
    if (kept.kind !== 'taken' || lost.kind !== 'taken') throw new Error('expected two');
    expect(await asking({ idempotencyKey: 'kept' })).toMatchObject({ kind: 'again', id: kept.id });
    await end(lost.id, 'container_lost');
    expect(await asking({ idempotencyKey: 'lost', replacing: lost.id })).toMatchObject({ kind: 'taken' });
    expect(await asking({ idempotencyKey: 'more' })).toMatchObject({ kind: 'limited' });
  });

  it('is counted over the addresses of a network, and for a visitor over all of theirs', async () => {
    await fillPool(store, many);
    const from = (host: number, overrides: Parameters<typeof click>[0] = {}) =>
      asking({
        clientKey: `2001:db8:1:${host}::/64`,
        held: { ...held, network: '2001:db8:1::/48', perNetwork: 3 },
        ...overrides,
      });
    expect([await from(1), await from(2), await from(3)].map(({ kind }) => kind)).toEqual(['taken', 'taken', 'taken']);
    expect(await from(4)).toMatchObject({ kind: 'limited', scope: 'network', limit: 3, held: { length: 3 } });

    const visitor = (host: number) =>
      asking({
        owner: 'visitor:somebody',
        clientKey: `198.51.100.${host}`,
        held: { ...held, network: `198.51.100.${host}`, perOwner: 2 },
      });
    expect([await visitor(1), await visitor(2)].map(({ kind }) => kind)).toEqual(['taken', 'taken']);
    expect(await visitor(3)).toMatchObject({ kind: 'limited', scope: 'owner', limit: 2, held: { length: 2 } });
  });

  it('counts what is waited for, and gives up a place that cannot be served', async () => {
    const waiting = (idempotencyKey: string) => asking({ idempotencyKey, wait: true });
    expect([await waiting('one'), await waiting('two')].map(({ kind }) => kind)).toEqual(['waiting', 'waiting']);
    expect(await waiting('three')).toMatchObject({ kind: 'limited', window: 'held' });
    await fillPool(store, many);
    // Past the line, which leaves enough for those in it.
    expect([await asking(), await asking()].map(({ kind }) => kind)).toEqual(['taken', 'taken']);
    expect(await waiting('one')).toMatchObject({ kind: 'limited', held: { length: 2 } });
    expect(await store.valkey.zcard(keys.waiting('tiny'))).toBe(1);
    expect(await waiting('two')).toMatchObject({ kind: 'limited', held: { length: 2 } });
    expect(await store.valkey.exists(keys.waiting('tiny'))).toBe(0);
  });

  it('leaves nothing behind: what is listed ends by itself, and what somebody else wrote is passed over', async () => {
    await fillPool(store, many);
    await store.valkey.set(keys.held('203.0.113.7'), 'nonsense\nabc 12x y');
    await asking();
    const [left, text] = [
      await store.valkey.pttl(keys.held('203.0.113.7')),
      await store.valkey.get(keys.held('203.0.113.7')),
    ];
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(many.ttl.maxMs);
    expect(text?.split('\n')).toHaveLength(1);
    expect(await store.valkey.exists(keys.held('visitor'))).toBe(0);
  });
});
