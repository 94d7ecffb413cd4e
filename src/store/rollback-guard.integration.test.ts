import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { beforeEach, afterEach, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { silent, fillPool } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { launchValkey, type LaunchedValkey } from '../launcher/valkey.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { keys } from './keys.ts';
import { openStore, type Store } from './store.ts';

const few = template({ pool: { target: 6, max: 40, replenishThreshold: 0 } });
const other = template({ name: 'other', pool: { target: 2, max: 20, replenishThreshold: 0 } });

/** A Valkey that can be sent back in time, and two processes' worth of stores on it. */
class World {
  readonly #releasers = new Releasers();
  #port = 0;
  #dir = '';
  #running: LaunchedValkey | undefined;

  async start(): Promise<void> {
    this.#dir = await mkdtemp(join(tmpdir(), 'try-it-now-rollback-'));
    this.#releasers.push('folder', () => rm(this.#dir, { recursive: true, force: true }));
    this.#port = await freePort();
    this.#releasers.push('valkey', () => this.#running?.server.stop());
    await this.#launch();
  }

  async #launch(): Promise<void> {
    this.#running = await launchValkey({ dir: this.#dir, port: this.#port });
  }

  /** With limits, so that what a claim counts is checked as well. */
  async store(): Promise<Store> {
    const store = await openStore({
      valkey: { host: '127.0.0.1', port: this.#port, password: undefined },
      node: { name: 'node0', address: '127.0.0.1' },
      limits: { hourly: 1_000, daily: 1_000 },
      portRange: { start: 21_000, end: 21_099 },
      portCoolDownMs: 200,
      log: silent,
    });
    this.#releasers.push('store', store.close);
    await store.inventory.reconcilePorts();
    return store;
  }

  /** The store as it is now is what `goBack` brings back. */
  async save(): Promise<void> {
    await this.ask((valkey) => valkey.save());
    await copyFile(join(this.#dir, 'dump.rdb'), join(this.#dir, 'older.rdb'));
  }

  async goBack(): Promise<void> {
    // It saves nothing on its way out, whatever came after the older file.
    await this.#running?.server.stop();
    await copyFile(join(this.#dir, 'older.rdb'), join(this.#dir, 'dump.rdb'));
    await this.#launch();
  }

  async ask<T>(use: (valkey: Valkey) => Promise<T>): Promise<T> {
    const valkey = new Valkey(this.#port, '127.0.0.1');
    try {
      return await use(valkey);
    } finally {
      valkey.disconnect();
    }
  }

  /** Watches as a server does; what was retired is collected. */
  watch(store: Store): Instance[] {
    const retired: Instance[] = [];
    const guard = store.rollbackGuard.watch((instances) => retired.push(...instances));
    this.#releasers.push('guard', guard.stop);
    return retired;
  }

  end(): Promise<void> {
    return this.#releasers.releaseAll(silent);
  }
}

let world: World;
beforeEach(async () => {
  world = new World();
  await world.start();
});
afterEach(() => world.end());

let visitors = 0;
/** Undefined when there is nothing to be had. */
async function take(store: Store, of = few): Promise<string | undefined> {
  visitors += 1;
  const outcome = await store.claimStore.claim({
    template: of,
    clientKey: 'somebody',
    owner: `visitor-${visitors}`,
    idempotencyKey: undefined,
    ttlMs: of.ttl.defaultMs,
  });
  if (outcome.kind === 'taken') return outcome.id;
  expect(outcome.kind).toBe('empty');
  return undefined;
}

const isBack = (store: Store): Promise<unknown> => eventually(() => store.claimStore.findMany(['a'.repeat(26)]));

it('hands nothing out twice when an older dump is read, and retires the idle instances of every template', async () => {
  const store = await world.store();
  const old = [...(await fillPool(store, few)), ...(await fillPool(store, other))].map(({ id }) => id);
  await world.save();
  const before = [await take(store), await take(store)];
  await world.goBack();
  await isBack(store);
  expect(await world.ask((valkey) => valkey.zrange(keys.ready(few.name), 0, -1))).toEqual(
    expect.arrayContaining(before),
  );

  expect(await take(store)).toBeUndefined();
  expect(await take(store, other)).toBeUndefined();
  const records = await store.inventory.list();
  expect(new Set(records.map(({ state, reason }) => `${state} ${reason ?? ''}`))).toEqual(
    new Set(['releasing store_rolled_back']),
  );
  expect(await world.ask((valkey) => valkey.hlen(keys.hostnames))).toBe(0);
  expect((await store.cleanupStore.overdue(100)).map(({ id }) => id).sort()).toEqual([...old].sort());

  const fresh = (await fillPool(store, few)).map(({ id }) => id);
  expect(fresh).toContain(await take(store));
  expect(await world.ask((valkey) => valkey.get(keys.claimCount))).toBe('3');
});

it('notices by itself when the connection comes back, and tells what it retired', async () => {
  const store = await world.store();
  const retired = world.watch(store);
  const old = await fillPool(store, few);
  await world.save();
  await take(store);
  await world.goBack();
  await eventually(() => expect(retired.map(({ id }) => id).sort()).toEqual(old.map(({ id }) => id).sort()));
});

it('leaves idle instances alone when Valkey comes back with everything it had', async () => {
  const store = await world.store();
  const retired = world.watch(store);
  const all = (await fillPool(store, few)).map(({ id }) => id);
  const first = await take(store);
  await world.save();
  await world.goBack();
  await isBack(store);
  await store.rollbackGuard.check();
  const second = await take(store);
  expect(retired).toEqual([]);
  expect(all.filter((id) => id !== first)).toContain(second);
});

it('starts again after everything was deleted', async () => {
  const store = await world.store();
  await fillPool(store, few);
  await take(store);
  await world.ask((valkey) => valkey.flushall());
  expect(await take(store)).toBeUndefined();
  await store.inventory.reconcilePorts();
  await fillPool(store, few);
  expect(await take(store)).toBeDefined();
});

it('is repaired once for all processes by the first that notices', async () => {
  const [one, two] = [await world.store(), await world.store()];
  await fillPool(one, few);
  await world.save();
  expect(new Set([await take(one), await take(two), await take(one), await take(two)]).size).toBe(4);
  await world.goBack();
  await isBack(one);
  await isBack(two);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => take(at % 2 === 0 ? one : two)));
  expect(answers.filter((id) => id !== undefined)).toEqual([]);
  const fresh = (await fillPool(two, few)).map(({ id }) => id);
  const handedOut = [await take(two), await take(one), await take(two), await take(one)];
  expect(new Set(handedOut).size).toBe(4);
  expect(fresh).toEqual(expect.arrayContaining(handedOut));
});

it('holds a process that saw less back until one that saw more has looked', async () => {
  const [one, two] = [await world.store(), await world.store()];
  const retired = [world.watch(one), world.watch(two)];
  // Each knows of the other.
  await one.rollbackGuard.check();
  await two.rollbackGuard.check();
  await fillPool(one, few);
  await world.save();
  // Only the first has seen it, or the second a moment later.
  const before = await take(one);
  await world.goBack();
  // Until it is back, a claim throws.
  const after = await eventually(() => take(two), { everyMs: 1 });
  expect([before, after]).toEqual([expect.any(String), undefined]);
  await eventually(() => expect(retired.flat()).toHaveLength(6));
});
