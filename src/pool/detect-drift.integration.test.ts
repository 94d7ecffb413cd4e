import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Instance } from '../domain/instance.ts';
import { newInstanceId } from '../domain/ids.ts';
import { launchCaddy } from '../launcher/caddy.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { NO_BRANDING } from '../presentation/branding.ts';
import { CaddyProxy, type CaddyProxyOptions } from '../proxy/caddy-proxy.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { keys } from '../store/keys.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { dumpOf } from '../../test/support/dump.ts';
import { START_URL, temporaryFolder } from '../../test/support/proxy.ts';
import { Gate, LogBook, TestNats } from '../../test/support/queue.ts';
import { silent, startStore, fillPool, warm, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { repairDrift, type RepairDeps } from './repair-drift.ts';
import { settleTickets, resumeCleanups } from './reap.ts';
import { countFindings, detectDrift, type Scope } from './detect-drift.ts';
import { Catalogue } from '../domain/template.ts';

const tiny = template();
const other = template({ name: 'other' });
const never = new AbortController().signal;

let releasers: Releasers;
let store: TestStore;
let log: LogBook;
let nats: TestNats;
let adminUrl: string;
let runtime: SimulatedRuntime;
let deps: RepairDeps;
let proxyOptions: CaddyProxyOptions;
let proxy: CaddyProxy;
const outer = new Releasers();

beforeAll(async () => {
  nats = await TestNats.start();
  outer.push('nats', () => nats[Symbol.asyncDispose]());
  const caddy = await launchCaddy({ dir: await temporaryFolder(outer) });
  outer.push('caddy', () => caddy.server.stop());
  ({ adminUrl } = caddy);
  proxyOptions = {
    adminUrl,
    listen: `127.0.0.1:${await freePort()}`,
    address: { scheme: 'http', baseDomain: 'localhost', port: undefined },
    innerPorts: [],
    responseTimeoutMs: 60_000,
    discovery: { host: '127.0.0.1', port: 9, metrics: { host: '127.0.0.1', port: 9 } },
    publicUrl: START_URL,
    log: silent,
  };
  proxy = new CaddyProxy(proxyOptions);
});
afterAll(() => outer.releaseAll(silent));

beforeEach(async () => {
  releasers = new Releasers();
  log = new LogBook();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  runtime = new SimulatedRuntime();
  releasers.push('runtime', () => runtime.close());
  await proxy.ensure();
  const { claimStore, cleanupStore, provisioningStore, inventory } = store;
  deps = {
    claimStore,
    cleanupStore,
    provisioningStore,
    inventory,
    runtime,
    networks: undefined,
    databases: undefined,
    proxy,
    queue: (await nats.publisher()).queue,
    log,
    observer: new Metrics({ templates: [tiny.name, other.name], version: 'test' }),
    clock: { now: () => 1_000_000 },
    node: { name: 'node0' },
    requestRefill: () => undefined,
  };
  return () => releasers.releaseAll(silent);
});

async function start(
  name: string,
  hostPort: number,
  owner: { readonly instanceId?: string; readonly keepUntilMs?: number },
): Promise<void> {
  const { instanceId, ...rest } = owner;
  await runtime.start({ name, hostPort, instanceId, template: tiny, env: {}, ...rest }, never);
}

/** Three instances that lack nothing. */
async function soundStock(): Promise<[Instance, Instance, Instance]> {
  const [one, two, three] = await fillPool(store, tiny);
  if (one === undefined || two === undefined || three === undefined) throw new Error('the pool was not filled');
  for (const { container, port, id } of [one, two, three]) await start(container, port ?? 0, { instanceId: id });
  return [one, two, three];
}

/** The first of so many available ports in a row. */
async function freeRun(length: number): Promise<number> {
  const available = (await store.valkey.smembers(keys.availablePorts('node0'))).map(Number);
  const first = available.find((port) =>
    Array.from({ length }, (_, offset) => port + offset).every((next) => available.includes(next)),
  );
  if (first === undefined) throw new Error(`there are no ${length} available ports in a row`);
  return first;
}

const found = async (of = deps, scope?: Scope): Promise<string[]> =>
  (await detectDrift(of, scope)).findings.map(({ kind, what, why }) => `${kind} ${what}: ${why}`).sort();

describe('drift detection', () => {
  it('finds nothing where all is well', async () => {
    await soundStock();
    await store.claimStore.claim({
      template: tiny,
      clientKey: '203.0.113.7',
      owner: 'a',
      idempotencyKey: undefined,
      ttlMs: 1_000,
    });
    await warm(store, other, (await store.provisioningStore.reserveTickets(other))[0] ?? '');
    expect(await detectDrift(deps)).toMatchObject({ findings: [], unchecked: [] });
  });

  it('takes no page of the proxy for drift that waits for requests under way', async () => {
    const title = [{ tag: undefined, text: 'Corrected' }] as const;
    const newer = new CaddyProxy({ ...proxyOptions, branding: { ...NO_BRANDING, title } });
    expect(await newer.check()).toBe('other_pages');
    expect(await found({ ...deps, proxy: newer })).toEqual([]);
  });

  it('names everything that is out of order, changes nothing, and a repair leaves nothing to find', async () => {
    const [one, two, three] = await soundStock();
    const { valkey } = store;
    const ghost = newInstanceId();
    await start('demo-stray', await freePort(), { instanceId: ghost });
    await start('demo-earlier-attempt', await freePort(), { instanceId: one.id });
    await start('demo-tried', await freePort(), { keepUntilMs: 999_999 });
    await start('demo-being-tried', await freePort(), { keepUntilMs: 1_000_001 });
    await runtime.remove(two.container);
    const [idle = '', fresh = ''] = await store.provisioningStore.reserveTickets(other);
    await valkey.zadd(keys.warming('other'), 'XX', Date.now() + 15_000, idle);
    const first = await freeRun(4);
    await valkey.srem(
      keys.availablePorts('node0'),
      [0, 1, 2, 3].map((offset) => String(first + offset)),
    );
    await valkey.sadd(keys.availablePorts('node0'), '65000', String(one.port));
    await valkey.hset(keys.heldPorts('node0'), String(first + 3), ghost);
    await valkey.zrem(keys.ready('tiny'), three.id);
    await valkey.zadd(keys.assigned('tiny'), 5, ghost);
    await valkey.hdel(keys.hostnames, one.label);
    await valkey.hset(keys.hostnames, 'a'.repeat(20), JSON.stringify({ v: 1, id: ghost, node: 'node0', port: 9_999 }));
    await valkey.hset(keys.hostnames, three.label, JSON.stringify({ v: 1, id: three.id, node: 'node0', port: 9_999 }));
    await fetch(`${adminUrl}/config/apps/http/servers/demo`, { method: 'DELETE' });

    const before = await dumpOf(valkey);
    const all = await found();
    expect(all).toEqual(
      [
        `container demo-earlier-attempt: no record of instance ${one.id} names it`,
        `container demo-stray: no record of instance ${ghost} names it`,
        'container demo-tried: it was only to be tried, and its time is over',
        `hostname ${'a'.repeat(20)}: leads to instance ${ghost}, which is gone or leaving`,
        `hostname ${one.label}: does not lead anywhere, though instance ${one.id} is live`,
        `hostname ${three.label}: leads elsewhere than to instance ${three.id}`,
        `index ${ghost}: wrongly listed as assigned among the instances of tiny`,
        `index ${three.id}: not listed as ready among the instances of tiny`,
        `port ${first}-${first + 2}: in the range, but neither available nor cooling nor held`,
        `port ${first + 3}: held for an instance that does not have it`,
        `port ${one.port}: counted twice among available, cooling and held`,
        'port 65000: outside of the range',
        'proxy demo: the proxy does not have our server',
        `record ${two.id}: ready, but its container ${two.container} does not run any more`,
        `ticket ${idle}: room reserved for an instance of other, but no task is left to make it`,
      ].sort(),
    );
    expect(await found(deps, 'node')).toEqual(all.filter((finding) => /^(container|port|record) /.test(finding)));
    expect(await dumpOf(valkey)).toEqual(before);
    expect((await runtime.list()).map(({ name }) => name)).toContain('demo-stray');

    expect(await repairDrift(deps, await detectDrift(deps))).toMatchObject({ repaired: 17, failures: [] });
    expect(await found()).toEqual([]);
    expect((await runtime.list()).map(({ name }) => name).sort()).toEqual(
      ['demo-being-tried', one.container, three.container].sort(),
    );
    expect((await store.claimStore.find(two.id))?.instance).toMatchObject({
      state: 'releasing',
      reason: 'container_lost',
    });
    expect(await valkey.zscore(keys.warming('other'), fresh)).not.toBeNull();
    expect(await valkey.hget(keys.hostnames, three.label)).toContain(String(three.port));
  });

  it("looks at one node's own records alone when that is what it is asked for", async () => {
    const [one, two, elsewhere] = await soundStock();
    const moved = { ...elsewhere, node: 'node1' };
    await store.valkey.hset(keys.instances, elsewhere.id, JSON.stringify(moved));
    await store.valkey.hdel(keys.heldPorts('node0'), String(elsewhere.port));
    await store.valkey.sadd(keys.availablePorts('node0'), String(elsewhere.port));
    const seen = await detectDrift(deps, 'node');
    expect(seen.records?.map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
    expect(countFindings(seen)).toMatchObject({ record: 0, port: 0, index: undefined, hostname: undefined });
  });

  it('leaves what hangs on a record it cannot read alone', async () => {
    const [newer, damaged] = await soundStock();
    await store.valkey.hset(keys.instances, newer.id, JSON.stringify({ ...newer, v: 2 }));
    await store.valkey.hset(keys.instances, damaged.id, '{"v":1,"id":');
    await repairDrift(deps, await detectDrift(deps));
    expect(await found()).toEqual([]);
    expect(await runtime.list()).toHaveLength(3);
    for (const { id, port, label } of [newer, damaged]) {
      expect(await store.valkey.hget(keys.heldPorts('node0'), String(port))).toBe(id);
      expect(await store.valkey.hexists(keys.hostnames, label)).toBe(1);
    }
  });

  it('says what it could not check, checks the rest, and frees no port while containers cannot be listed', async () => {
    await soundStock();
    const port = await freeRun(1);
    await store.valkey.srem(keys.availablePorts('node0'), String(port));
    await fetch(`${adminUrl}/config/apps/http/servers/demo`, { method: 'DELETE' });
    const blind = {
      ...deps,
      runtime: {
        list: () => Promise.reject(new Error('the engine is gone')),
        remove: () => Promise.reject(new Error('the engine is gone')),
      },
    };
    const seen = await detectDrift(blind);
    expect(seen.unchecked.map(({ kinds }) => kinds)).toEqual([['record', 'container']]);
    expect(seen.findings.map(({ kind }) => kind)).toEqual(['port', 'proxy']);
    expect(await repairDrift(blind, seen)).toMatchObject({ repaired: 1, failures: [] });
    expect(await found()).toEqual([`port ${port}: in the range, but neither available nor cooling nor held`]);
  });

  it('goes on repairing when one thing cannot be fixed', async () => {
    await start('demo-one', await freePort(), { instanceId: newInstanceId() });
    await start('demo-two', await freePort(), { instanceId: newInstanceId() });
    const seen = await detectDrift(deps);
    const stuck = {
      ...deps,
      runtime: {
        list: () => runtime.list(),
        remove: (name: string) =>
          name === 'demo-one' ? Promise.reject(new Error('it does not go')) : runtime.remove(name),
      },
    };
    expect(await repairDrift(stuck, seen)).toMatchObject({ repaired: 1, failures: [{ kind: 'container' }] });
    expect((await runtime.list()).map(({ name }) => name)).toEqual(['demo-one']);
  });
});

describe('room that nothing will come of', () => {
  const idleTicket = async (): Promise<string> => {
    const [id = ''] = await store.provisioningStore.reserveTickets(other);
    await store.valkey.zadd(keys.warming('other'), 'XX', Date.now() + 15_000, id);
    return id;
  };
  const reapOnce = () => settleTickets({ ...deps, catalogue: new Catalogue([tiny, other]) });
  const ticketOf = (id: string): Promise<string | null> => store.valkey.zscore(keys.warming('other'), id);

  it('is given back at once, long before its time is up', async () => {
    const id = await idleTicket();
    await reapOnce();
    expect(await ticketOf(id)).toBeNull();
  });

  it('stays while the queue holds a task, waiting or handed out', async () => {
    await using busy = await TestNats.start();
    const { queue } = await busy.publisher();
    deps = { ...deps, queue };
    const id = await idleTicket();
    await queue.publishProvision([{ v: 1, kind: 'provision', id, template: 'other' }]);
    const begun = new Gate();
    await busy.workers({
      provision: () => {
        begun.open();
        return new Promise(() => undefined);
      },
      cleanup: () => Promise.resolve(),
      deadLettered: () => Promise.resolve(),
    });
    await reapOnce();
    expect(await ticketOf(id)).not.toBeNull();
    await begun.passed();
    expect(await queue.provisions()).toEqual({ waiting: 0, outstanding: 1 });
    await reapOnce();
    expect(await ticketOf(id)).not.toBeNull();
  });

  it('stays while an attempt is alive, and is given back when its worker has died and its task is lost', async () => {
    const [id = ''] = await store.provisioningStore.reserveTickets(other);
    const instance = await warm(store, other, id);
    await reapOnce();
    expect((await store.claimStore.find(id))?.instance.state).toBe('warming');
    await store.provisioningStore.releaseLease(instance);
    await reapOnce();
    expect((await store.claimStore.find(id))?.instance.state).toBe('releasing');
    expect(await ticketOf(id)).toBeNull();
  });
});

it("queues the cleanups of this node again, and no other's", async () => {
  const [one, two] = await soundStock();
  for (const instance of [one, two]) await store.cleanupStore.release(instance, 'released', { from: ['ready'] });
  await store.valkey.hset(
    keys.instances,
    two.id,
    JSON.stringify({ ...(await store.claimStore.find(two.id))?.instance, node: 'node7' }),
  );
  const queued: string[] = [];
  await resumeCleanups(
    {
      inventory: store.inventory,
      cleanupStore: store.cleanupStore,
      log,
      queue: {
        ...deps.queue,
        publishCleanup: ({ id }) => {
          queued.push(id);
          return Promise.resolve();
        },
      },
    },
    { node: 'node0' },
  );
  expect(queued).toEqual([one.id]);
});

it('tasks that are done and still queued are discarded, but none that is new or that something waits for', async () => {
  const [releasing, ready] = await soundStock();
  await store.cleanupStore.release(releasing, 'released', { from: ['ready'] });
  const [ticket] = await store.provisioningStore.reserveTickets(other);
  const task = (sequence: number, id: string | undefined, kind: 'provision' | 'cleanup', queuedAtMs = 0) => ({
    sequence,
    queuedAtMs,
    task:
      id === undefined
        ? undefined
        : kind === 'provision'
          ? { v: 1 as const, kind, id, template: 'tiny' }
          : { v: 1 as const, kind, id, node: 'node0' },
  });
  const left = [
    task(1, ready.id, 'provision'),
    task(2, newInstanceId(), 'cleanup'),
    task(3, undefined, 'provision'),
    task(4, releasing.id, 'cleanup'),
    task(5, ticket, 'provision'),
    task(6, newInstanceId(), 'provision', 999_000),
  ];
  const discarded: number[] = [];
  const withLeft = {
    ...deps,
    queue: {
      ...deps.queue,
      provisions: () => Promise.resolve({ waiting: 1, outstanding: 0 }),
      leftovers: () => Promise.resolve(left),
      discard: (tasks: readonly { readonly sequence: number }[]) => {
        discarded.push(...tasks.map(({ sequence }) => sequence));
        return Promise.resolve(tasks.length);
      },
    },
  };
  expect((await found(withLeft)).filter((line) => line.startsWith('task'))).toEqual(
    [1, 2, 3].map((n) => `task ${n}: done, but still in the queue: NATS was killed before it had removed it`),
  );
  await repairDrift(withLeft, await detectDrift(withLeft));
  expect(discarded).toEqual([1, 2, 3]);
  expect(log.with('Took tasks out of the queue')[0]?.fields).toEqual({ discarded: 3 });
});
