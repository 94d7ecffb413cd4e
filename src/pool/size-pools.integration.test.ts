import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import { fillPool, silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Heartbeat } from '../domain/node.ts';
import type { PoolSize } from '../domain/pool-size.ts';
import { BUCKET_MS } from '../domain/stock-for.ts';
import { Catalogue, type Template } from '../domain/template.ts';
import { keys } from '../store/keys.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { PoolSizing } from './size-pools.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WEEK_MS = 168 * HOUR_MS;
const AUTOSIZE = { min: 2, max: 12, cover: 0.95, schedule: [] };
const tiny = template({ pool: { target: 2, max: 20, replenishThreshold: 0, autosize: AUTOSIZE } });

let store: TestStore;
let refills: number;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.clear();
  await beat({});
  refills = 0;
});

const beat = (heartbeat: Partial<Heartbeat>) => store.registry.beat(fleetNode({ heartbeat }).heartbeat as Heartbeat);
const sizing = (templates: readonly Template[] = [tiny], leads = true) =>
  new PoolSizing({
    ...store,
    catalogue: new Catalogue(templates),
    leads: { held: leads, confirm: () => Promise.resolve(leads) },
    observer: new Metrics({ templates: ['tiny'], version: 'test' }),
    log: silent,
    requestRefill: () => {
      refills += 1;
    },
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: () => Promise.resolve(),
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
  });
const size = async () => (await store.poolSizes.read(['tiny'])).get('tiny');
const stats = async () => (await store.inventory.stats([tiny])).get('tiny');
const click = (wait = false, owner = 'visitor') =>
  store.claimStore.claim({
    ...{ template: tiny, clientKey: '203.0.113.7', owner, ttlMs: 60_000, wait },
    idempotencyKey: wait ? owner : undefined,
  });

/** As if so many had come in each bucket of that time. */
async function write(clicks: number, { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) {
  for (let at = Math.floor(fromMs / BUCKET_MS); at * BUCKET_MS < toMs; at += 1)
    await store.valkey.hset(keys.arrivals('tiny', Math.floor((at * BUCKET_MS) / HOUR_MS)), `${at}`, clicks);
}
/** A start takes 30 s. */
const measured = () => store.valkey.lpush(keys.refills('tiny'), `${Date.now()} 30000 0`);

async function heldByVisitors(pool: Template): Promise<void> {
  await store.valkey.hset(keys.poolControl('tiny'), 'auto_target', pool.pool.max);
  await fillPool(store, pool);
  for (let visitor = 1; visitor <= pool.pool.max; visitor += 1)
    expect(await click(false, `visitor ${visitor}`)).toMatchObject({ kind: 'taken' });
}

async function storedSize(): Promise<PoolSize> {
  const found = await size();
  if (found === undefined) throw new Error('nothing was decided');
  return found;
}

describe('clicks', () => {
  const counted = async () => {
    const { recent } = await store.poolSizes.demand('tiny');
    return recent.reduce((sum, { clicks }) => sum + clicks, 0);
  };

  it('count once each, whether they get an instance or wait for one', async () => {
    await fillPool(store, tiny);
    await click();
    await click();
    expect(await counted()).toBe(2);
    // Asks again and again, with one place.
    for (let at = 0; at < 3; at += 1) expect(await click(true, 'patient')).toMatchObject({ kind: 'waiting' });
    expect(await counted()).toBe(3);
    await fillPool(store, tiny);
    expect(await click(true, 'patient')).toMatchObject({ kind: 'taken' });
    expect(await counted()).toBe(3);
  });

  it('of a program that asks an empty pool on and on count no more than what was handed out', async () => {
    for (let at = 0; at < 20; at += 1) await click();
    expect(await counted()).toBe(1);
  });

  it('that came a week ago at this time are remembered, and nothing is for longer', async () => {
    await fillPool(store, tiny);
    await click();
    const [key = ''] = await store.valkey.keys('arrivals:*');
    expect(await store.valkey.pttl(key)).toBeGreaterThan(WEEK_MS);
    const ago = Date.now() - WEEK_MS;
    await write(2, { fromMs: ago - HOUR_MS, toMs: ago + HOUR_MS });
    const { lastWeek } = await store.poolSizes.demand('tiny');
    expect(new Set(lastWeek.map(({ clicks }) => clicks))).toEqual(new Set([2]));
    expect(lastWeek.length * BUCKET_MS).toBeGreaterThanOrEqual(20 * MINUTE_MS);
  });
});

describe('a pool that sizes itself', () => {
  it('has as many made as its visitors need', async () => {
    await measured();
    await write(2, { fromMs: Date.now() - 15 * MINUTE_MS, toMs: Date.now() });
    await sizing().round();
    const { target, reason, leadMs } = await storedSize();
    expect(target).toBeGreaterThan(4);
    expect({ reason, leadMs }).toEqual({ reason: 'recent', leadMs: 30_000 });
    expect(await stats()).toMatchObject({ target });
    expect(refills).toBe(1);
    expect(await fillPool(store, tiny)).toHaveLength(target);
  });

  it('goes no further than hosts have memory for what a template may take', async () => {
    const [bytes, total] = [tiny.limits.memoryBytes, 100 * tiny.limits.memoryBytes];
    await beat({ memory: { total, available: total * 0.04 + 3.5 * bytes } });
    await store.poolSizes.putEvent('tiny', {
      ...{ v: 1, name: 'class', fromMs: Date.now(), toMs: Date.now() + HOUR_MS, target: 10 },
    });
    await sizing().round();
    expect(await storedSize()).toMatchObject({ target: 3, need: 10, reason: 'event', bound: 'memory' });
  });

  it('shares what memory there is with others that do', async () => {
    const [bytes, total] = [tiny.limits.memoryBytes, 100 * tiny.limits.memoryBytes];
    await beat({ memory: { total, available: total * 0.04 + 3.5 * bytes }, templates: { tiny: '', other: '' } });
    const wanting = { ...tiny.pool, autosize: { ...AUTOSIZE, min: 3 } };
    await sizing([template({ pool: wanting }), template({ name: 'other', pool: wanting })]).round();
    const sizes = await store.poolSizes.read(['tiny', 'other']);
    expect([sizes.get('tiny')?.target, sizes.get('other')?.target]).toEqual([3, 0]);
  });

  it('counts what is being started with all that it may take, its own and others’', async () => {
    const fixed = template({ name: 'fixed', pool: { target: 2, max: 2, replenishThreshold: 0, autosize: undefined } });
    const [bytes, total] = [tiny.limits.memoryBytes, 100 * tiny.limits.memoryBytes];
    await beat({ memory: { total, available: total * 0.04 + 5.5 * bytes }, templates: { tiny: '', fixed: '' } });
    await store.poolSizes.putEvent('tiny', {
      ...{ v: 1, name: 'class', fromMs: Date.now(), toMs: Date.now() + HOUR_MS, target: 10 },
    });
    await store.provisioningStore.reserveTickets(fixed);
    const targets: number[] = [];
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await sizing([tiny, fixed]).round();
      targets.push((await storedSize()).target);
      await store.provisioningStore.reserveTickets(tiny);
    }
    expect(targets).toEqual([3, 3, 3]);
  });

  it('goes on by what hosts have memory for while its template fails on all of them', async () => {
    await beat({ templates: { tiny: '3 attempts at one failed there in a row: it ends at once' } });
    await sizing().round();
    expect(await storedSize()).toMatchObject({ target: 2, reason: 'min' });
    expect((await storedSize()).bound).toBeUndefined();
  });

  it.each<[string, (pool: Template) => Promise<unknown>, number]>([
    ['is drained', () => store.controls.drain('tiny', undefined, undefined), 3],
    ['is to have fewer, as an operator said', () => store.controls.setTarget('tiny', 1), 2],
    ['fails, and is tried with one at a time', () => store.valkey.hset(keys.refillPause('tiny'), 'failures', 3), 2],
    ['is with visitors, as many as may be', heldByVisitors, 3],
  ])('keeps no memory for what is not begun of another one that %s', async (_, become, left) => {
    const [bytes, total] = [tiny.limits.memoryBytes, 100 * tiny.limits.memoryBytes];
    await beat({ memory: { total, available: total * 0.04 + 3.5 * bytes }, templates: { tiny: '', other: '' } });
    const pool = { ...tiny.pool, max: 3, autosize: { ...AUTOSIZE, min: 3 } };
    await become(template({ pool }));
    await sizing([template({ pool }), template({ name: 'other', pool })]).round();
    expect((await store.poolSizes.read(['other'])).get('other')?.target).toBe(left);
  });

  it('lets idle ones go by and by once less is wanted, and never what a visitor has', async () => {
    await store.valkey.hset(keys.poolControl('tiny'), 'auto_target', 10);
    await fillPool(store, tiny);
    expect(await click()).toMatchObject({ kind: 'taken' });
    await sizing().round();
    expect(await stats()).toMatchObject({ target: 2, ready: 7, assigned: 1, leaving: 2 });
    await sizing().round();
    expect(await stats()).toMatchObject({ ready: 5, assigned: 1, leaving: 4 });
    for (let at = 0; at < 5; at += 1) await sizing().round();
    expect(await stats()).toMatchObject({ ready: 2, assigned: 1, leaving: 7 });
  });

  it('gives way to an operator until their time is over', async () => {
    await sizing().round();
    await store.controls.setTarget('tiny', 7, Date.now() + HOUR_MS);
    expect(await stats()).toMatchObject({ target: 7 });
    await fillPool(store, tiny);
    await sizing().round();
    expect(await stats()).toMatchObject({ target: 7, ready: 7 });
    await store.valkey.hset(keys.poolControl('tiny'), 'target_until_ms', Date.now() - 1);
    await sizing().round();
    expect(await stats()).toMatchObject({ target: 2 });
    expect((await store.controls.read(['tiny'])).get('tiny')).toMatchObject({
      ...{ target: undefined, targetUntilMs: undefined },
    });
  });

  it('has its target forgotten with the template’s autosize', async () => {
    await store.valkey.hset(keys.poolControl('tiny'), 'auto_target', 9);
    await sizing([template()]).round();
    expect(await stats()).toMatchObject({ target: 2 });
    expect(await size()).toBeUndefined();
  });

  it('is left alone by servers that do not lead', async () => {
    await sizing([tiny], false).round();
    expect(await size()).toBeUndefined();
  });

  it('is decided on again where a decision of another version, or damage, is stored', async () => {
    for (const text of ['{"v":2}', '{', JSON.stringify({ v: 1, target: -1 })]) {
      await store.valkey.set(keys.poolSize('tiny'), text);
      expect(await size()).toBeUndefined();
      await sizing().round();
      expect(await storedSize()).toMatchObject({ target: 2, reason: 'min' });
    }
  });
});

it('remembers events until they are over', async () => {
  const event = (name: string, fromMs: number, toMs: number) => ({ v: 1, name, fromMs, toMs, target: 5 }) as const;
  const now = Date.now();
  await store.poolSizes.putEvent('tiny', event('over', now - 2 * HOUR_MS, now - HOUR_MS));
  await store.poolSizes.putEvent('tiny', event('later', now + 2 * HOUR_MS, now + 3 * HOUR_MS));
  await store.poolSizes.putEvent('tiny', event('soon', now + HOUR_MS, now + 2 * HOUR_MS));
  expect((await store.poolSizes.events('tiny')).map(({ name }) => name)).toEqual(['soon', 'later']);
  expect(await store.valkey.hkeys(keys.poolEvents('tiny'))).not.toContain('over');
  // Next week's class has the name of this week's.
  await store.poolSizes.putEvent('tiny', event('class', now - 2 * HOUR_MS, now - HOUR_MS));
  await store.poolSizes.putEvent('tiny', event('class', now + 4 * HOUR_MS, now + 5 * HOUR_MS));
  expect((await store.poolSizes.events('tiny')).map(({ name }) => name)).toEqual(['soon', 'later', 'class']);
  expect(await store.poolSizes.removeEvent('tiny', 'soon')).toBe(true);
  expect(await store.poolSizes.removeEvent('tiny', 'soon')).toBe(false);
});
