import { Redis as Valkey } from 'iovalkey';
import { expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { fillPool, silent } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { MASTER, ValkeyFleet, type FleetServer } from '../../test/support/valkey-fleet.ts';
import type { TryItNowError } from '../domain/errors.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { ValkeyHostnameSource } from './hostname-source.ts';
import { keys } from './keys.ts';
import { openStore, type Store } from './store.ts';
import type { ValkeyAccess } from './valkey-access.ts';

const six = template({ pool: { target: 6, max: 40, replenishThreshold: 0 } });
const REPLICATION = { user: 'replication', password: 'of-the-replica' };

/** A primary, a replica and a Sentinel, and the servers of a test on them. */
class World implements AsyncDisposable {
  readonly #releasers = new Releasers();
  readonly #primary: FleetServer;
  readonly #replica: FleetServer;
  readonly #asker: Valkey;
  readonly access: ValkeyAccess;

  private constructor(primary: FleetServer, replica: FleetServer, sentinel: FleetServer) {
    this.#primary = primary;
    this.#replica = replica;
    this.#asker = this.client(sentinel);
    const endpoint = { host: sentinel.host, port: sentinel.port };
    this.access = {
      ...endpoint,
      password: undefined,
      sentinel: { endpoints: [endpoint], master: MASTER, user: undefined, password: undefined },
    };
  }

  static async start(): Promise<World> {
    const fleet = await ValkeyFleet.create();
    const primary = await fleet.valkey(['--repl-diskless-sync-delay', '0']);
    const ask = new Valkey(primary.port, primary.host);
    await ask.call(
      'ACL',
      'SETUSER',
      REPLICATION.user,
      'on',
      `>${REPLICATION.password}`,
      '+psync',
      '+replconf',
      '+ping',
    );
    const replica = await fleet.valkey([
      ...['--replicaof', primary.host, String(primary.port)],
      ...['--masteruser', REPLICATION.user, '--masterauth', REPLICATION.password],
    ]);
    await eventually(async () => expect(await ask.info('replication')).toMatch(/slave0:.*state=online/));
    ask.disconnect();
    const sentinel = await fleet.sentinel(primary, [], { downAfterMs: 3_000 });
    const world = new World(primary, replica, sentinel);
    world.#releasers.push('fleet', () => fleet[Symbol.asyncDispose]());
    await eventually(async () => expect(await world.#asker.call('SENTINEL', 'REPLICAS', MASTER)).toHaveLength(1));
    return world;
  }

  client({ host, port }: FleetServer): Valkey {
    const client = new Valkey(port, host, { retryStrategy: () => 100 });
    client.on('error', () => undefined);
    this.#releasers.push('client', () => client.disconnect());
    return client;
  }

  /** One that hands out; `abandon` is its death, of which nobody is told. */
  async server(): Promise<Store & { readonly abandon: () => Promise<void> }> {
    const store = await openStore({
      valkey: this.access,
      node: { name: 'node0', address: '127.0.0.1' },
      limits: { hourly: 0, daily: 0 },
      portRange: { start: 21_000, end: 21_099 },
      portCoolDownMs: 200,
      log: silent,
    });
    await store.inventory.reconcilePorts();
    let alive = true;
    const abandon = async (): Promise<void> => {
      if (alive) await store.close();
      alive = false;
    };
    this.#releasers.push('store', abandon);
    return { ...store, abandon };
  }

  async watching(): Promise<Store> {
    const store = await this.server();
    const guard = store.rollbackGuard.watch(() => undefined);
    this.#releasers.push('guard', guard.stop);
    await store.rollbackGuard.check();
    return store;
  }

  /** The replica has all there is, and hears nothing more from here on. */
  async cut(): Promise<void> {
    const primary = this.client(this.#primary);
    // It waits for what its own connection changed, and so for all before that.
    await primary.incr(keys.confirmations);
    expect(await primary.call('WAIT', 1, 0)).toBe(1);
    await primary.call('ACL', 'SETUSER', REPLICATION.user, 'off');
    await primary.call('CLIENT', 'KILL', 'TYPE', 'REPLICA');
    await eventually(async () => expect(await primary.info('replication')).toContain('connected_slaves:0'));
  }

  kill(): void {
    this.#primary.server.signal('SIGKILL');
  }

  /** The one that was the replica at first. */
  async promoted(): Promise<Valkey> {
    const replica = this.client(this.#replica);
    await eventually(async () => expect(await replica.info('replication')).toContain('role:master'));
    return replica;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#releasers.releaseAll(silent);
  }
}

let visitors = 0;
/** Undefined when there is nothing to be had; throws what the visitor is told. */
async function claim(store: Store): Promise<string | undefined> {
  visitors += 1;
  const outcome = await store.claimStore.claim({
    template: six,
    clientKey: 'somebody',
    owner: `visitor-${visitors}`,
    idempotencyKey: undefined,
    ttlMs: six.ttl.defaultMs,
  });
  if (outcome.kind === 'taken') return outcome.id;
  expect(outcome.kind).toBe('empty');
  return undefined;
}

/** Tries as a visitor does who is told to try again. Each refusal is the one that says so. */
async function claimInTheEnd(store: Store, refusals: TryItNowError[] = []): Promise<string | undefined> {
  for (;;) {
    try {
      return await claim(store);
    } catch (error) {
      expect(error).toMatchObject({ code: 'store_unavailable', status: 503, retryAfterMs: 2_000 });
      refusals.push(error as TryItNowError);
      await sleep(20);
    }
  }
}

/** Who is to be cleaned up, as stored: an answer that is lost on its way tells nobody whom it retired. */
async function retired(store: Store): Promise<string[]> {
  const overdue = await store.cleanupStore.overdue(100);
  return overdue.filter(({ reason }) => reason === 'store_rolled_back').map(({ id }) => id);
}

it.concurrent('follows the new primary, and hands nothing out twice of what was claimed and lost', async () => {
  await using world = await World.start();
  const [one, two] = [await world.watching(), await world.watching()];
  const old = (await fillPool(one, six)).map(({ id }) => id);
  const source = new ValkeyHostnameSource({ ...world.access, log: silent });
  const label = (await one.inventory.list())[0]?.label ?? '';
  await eventually(async () => expect(await source.lookup(label)).toBeDefined());
  await world.cut();
  const lost = [await claim(one), await claim(one), await claim(one)];
  expect(new Set(lost).size).toBe(3);
  world.kill();
  const refusals: TryItNowError[] = [];
  // The one that saw less asks all the time, and is the first to reach the new primary as often as not.
  expect(await claimInTheEnd(two, refusals)).toBeUndefined();
  expect(refusals.length).toBeGreaterThan(0);
  expect(await claimInTheEnd(one)).toBeUndefined();
  const primary = await world.promoted();
  expect(await primary.get(keys.claimCount)).toBe('3');
  expect((await retired(one)).sort()).toEqual(old.sort());
  // Discovery as well has come over: there none of the old names is left.
  await eventually(async () => expect(await source.lookup(label)).toBeUndefined());
  source.close();
  const fresh = (await fillPool(one, six)).map(({ id }) => id);
  expect(fresh).toContain(await claim(two));
});

it.concurrent('hands out nothing old when a server died with the primary and what only it knew is lost', async () => {
  await using world = await World.start();
  const [dying, other] = [await world.server(), await world.watching()];
  await dying.rollbackGuard.check();
  const old = (await fillPool(other, six)).map(({ id }) => id);
  await other.rollbackGuard.check();
  await world.cut();
  const lost = [await claim(dying), await claim(dying)];
  expect(new Set(lost).size).toBe(2);
  await dying.abandon();
  world.kill();
  expect(await claimInTheEnd(other)).toBeUndefined();
  expect((await retired(other)).sort()).toEqual(old.sort());
  const fresh = (await fillPool(other, six)).map(({ id }) => id);
  expect(fresh).toContain(await claim(other));
  const late = await world.watching();
  expect(fresh).toContain(await claimInTheEnd(late));
});

it.concurrent('leaves idle instances alone when nothing was lost', async () => {
  await using world = await World.start();
  const [one, two] = [await world.watching(), await world.watching()];
  const old = (await fillPool(one, six)).map(({ id }) => id);
  const before = [await claim(one), await claim(two)];
  await world.cut();
  world.kill();
  const after = [
    await claimInTheEnd(one),
    await claimInTheEnd(two),
    await claimInTheEnd(one),
    await claimInTheEnd(two),
  ];
  expect([...before, ...after].sort()).toEqual(old.sort());
  const primary = await world.promoted();
  expect(await primary.get(keys.claimCount)).toBe('6');
  expect(await retired(one)).toEqual([]);
});
