import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import { claimPorts } from '../../test/support/port-ranges.ts';
import { fillPool, silent, startStore, warm, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { HEARTBEAT_LIFE_MS, type FleetNode, type Heartbeat } from '../domain/node.ts';
import { obstacleTo } from '../domain/placement.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { keys } from '../store/keys.ts';
import { openStore, type Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { NodeLosses, VISITS_KEPT_MS, type NodeLossesDeps } from './node-losses.ts';

const LOOK_MS = 1_000;
const tiny = template({ pool: { target: 4, max: 4, replenishThreshold: 0 } });
const HEARTBEAT = fleetNode().heartbeat as Heartbeat;
const CLIENT = '203.0.113.7';

let store: TestStore;
let ports: Awaited<ReturnType<typeof claimPorts>>;
let there: Store;
let queued: string[];
let now: number;
let losses: NodeLosses;

beforeAll(async () => {
  store = await startStore({ limits: { hourly: 9, daily: 9 } });
  ports = await claimPorts(200);
  there = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node7', address: '127.0.0.1' },
    limits: { hourly: 9, daily: 9 },
    portRange: { start: ports.start, end: ports.end },
    portCoolDownMs: 200,
    log: silent,
  });
});
afterAll(async () => {
  await there.close();
  await ports[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.clear();
  await there.inventory.reconcilePorts();
  await there.registry.beat(HEARTBEAT);
  queued = [];
  now = 1_000_000;
  losses = lossesSeenBy('node0');
});

/** As the server on that node; `deps` in place of what it has there. */
function lossesSeenBy(name: string, deps: Partial<NodeLossesDeps> = {}): NodeLosses {
  return new NodeLosses({
    ...store,
    log: silent,
    node: { name },
    requestRefill: () => undefined,
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    steadyClock: { passedMs: () => now },
    probe: new HttpProbe(),
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: ({ id }) => {
        queued.push(id);
        return Promise.resolve();
      },
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
    turn: store.turns.of('nodes'),
    ...deps,
  });
}

/** Looks as the server does, for so long. */
async function watch(forMs: number, stepMs = LOOK_MS): Promise<readonly string[]> {
  await losses.round();
  for (let passed = 0; passed < forMs; passed += stepMs) {
    now += stepMs;
    await losses.round();
  }
  return [...losses.lost];
}

/** By the store's clock alone. */
const endHeartbeat = (): Promise<unknown> => store.valkey.del(keys.heartbeat('node7'));
/** Until just before it is taken for lost. */
async function fallSilent(): Promise<void> {
  await endHeartbeat();
  await watch(HEARTBEAT_LIFE_MS - LOOK_MS);
}
const nodeThere = async (): Promise<FleetNode> => {
  const node = await store.registry.node('node7');
  if (node === undefined) throw new Error('node7 is not known');
  return node;
};

/** Two ready ones on each of the two nodes. */
async function stock(): Promise<{ here: Instance[]; away: Instance[] }> {
  const ids = await store.provisioningStore.reserveTickets(tiny);
  const ready = await Promise.all(
    ids.map(async (id, at) => {
      const at7 = at % 2 === 1;
      const owner = at7 ? there : store;
      const instance = await warm(owner, tiny, id);
      await owner.provisioningStore.markReady(instance, tiny);
      return { at7, instance };
    }),
  );
  const on = (wanted: boolean) => ready.flatMap(({ at7, instance }) => (at7 === wanted ? [instance] : []));
  return { here: on(false), away: on(true) };
}

async function statesOf(instances: readonly Instance[]): Promise<readonly unknown[]> {
  const views = await store.claimStore.findMany(instances.map(({ id }) => id));
  return instances.map(({ id }) => {
    const { state, reason } = views.get(id)?.instance ?? {};
    return reason === null ? state : [state, reason];
  });
}

/** All that is ready is handed out. */
async function handOut(count: number): Promise<void> {
  for (let visitor = 0; visitor < count; visitor += 1)
    await store.claimStore.claim({
      template: tiny,
      clientKey: CLIENT,
      owner: `visitor-${visitor}`,
      idempotencyKey: undefined,
      ttlMs: tiny.ttl.defaultMs,
    });
}

it('takes nobody for lost whose heartbeat ended as the clock of the store was set forward', async () => {
  const { away } = await stock();
  expect(await watch(10_000)).toEqual([]);
  await endHeartbeat();
  expect(await watch(3_000)).toEqual([]);
  await there.registry.beat(HEARTBEAT);
  expect(await watch(10_000)).toEqual([]);
  expect(await statesOf(away)).toEqual(['ready', 'ready']);
  expect(await nodeThere()).toMatchObject({ losses: 0 });

  // Who says nothing from then on is lost when it has been silent for as long as ever.
  await endHeartbeat();
  expect(await watch(HEARTBEAT_LIFE_MS - LOOK_MS)).toEqual([]);
  expect(await watch(LOOK_MS)).toEqual(['node7']);
});

it('withdraws what a lost node has ready, and has as many made elsewhere although the pool is full', async () => {
  const { here, away } = await stock();
  const asked: number[] = [];
  losses = lossesSeenBy('node0', { requestRefill: () => asked.push(losses.stranded('tiny')) });
  expect(await watch(10_000)).toEqual([]);
  await fallSilent();
  now += LOOK_MS;
  await losses.round();
  // A refill that is planned before that is known finds no room.
  expect(asked.at(-1)).toBe(2);
  expect([...losses.lost]).toEqual(['node7']);
  expect(await statesOf(here)).toEqual(['ready', 'ready']);
  expect(await statesOf(away)).toEqual([
    ['releasing', 'node_lost'],
    ['releasing', 'node_lost'],
  ]);
  expect(queued.toSorted()).toEqual(away.map(({ id }) => id).toSorted());

  expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
  const stranded = losses.stranded('tiny');
  expect(stranded).toBe(2);
  expect(await store.provisioningStore.reserveTickets(tiny, { stranded })).toHaveLength(2);
  expect(await store.provisioningStore.reserveTickets(tiny, { stranded })).toEqual([]);

  await there.registry.beat(HEARTBEAT);
  expect(await watch(2_000)).toEqual([]);
  expect(losses.stranded('tiny')).toBe(0);
});

it('lets visitors of other nodes in between, however much a lost node had ready', async () => {
  const large = template({ name: 'large', pool: { target: 180, max: 180, replenishThreshold: 0 } });
  await fillPool(there, large);
  await fillPool(store, tiny);
  let withdrawnBefore: number | undefined;
  let click: Promise<void> | undefined;
  losses = lossesSeenBy('node0', {
    requestRefill: () => {
      click ??= handOut(1).then(() => {
        withdrawnBefore = queued.length;
      });
    },
  });
  await watch(10_000);
  await fallSilent();
  await watch(LOOK_MS);
  await click;
  expect(withdrawnBefore).toBeLessThan(queued.length);
  expect(queued).toHaveLength(180);
});

it('reads none of what waits to be taken down on a lost node, and counts it', async () => {
  await stock();
  await watch(10_000);
  await fallSilent();
  await watch(LOOK_MS);
  expect([...losses.lost]).toEqual(['node7']);
  const read: string[] = [];
  const monitor = await store.valkey.monitor();
  monitor.on('monitor', (_time: string, [command = '', key = '']: string[]) => {
    if (key === keys.instances) read.push(command);
  });
  await watch(3 * LOOK_MS);
  await store.valkey.ping();
  monitor.disconnect();
  expect(read).toEqual([]);
  expect(losses.stranded('tiny')).toBe(2);
});

it('withdraws on one server at a time, and every one knows of the loss', async () => {
  const { away } = await stock();
  const others = there.turns.of('nodes');
  expect(await others.take(60_000)).toBe(true);
  await watch(10_000);
  await fallSilent();
  expect(await watch(LOOK_MS)).toEqual(['node7']);
  expect(await statesOf(away)).toEqual(['ready', 'ready']);
  expect(losses.stranded('tiny')).toBe(0);
  await others.end();
  await watch(LOOK_MS);
  expect(await statesOf(away)).toEqual([
    ['releasing', 'node_lost'],
    ['releasing', 'node_lost'],
  ]);
  expect(losses.stranded('tiny')).toBe(2);
});

it('tells the node that it was lost, and gives one that comes and goes nothing while others can', async () => {
  await watch(10_000);
  await fallSilent();
  expect(await watch(LOOK_MS)).toEqual(['node7']);
  expect(await there.registry.beat(HEARTBEAT)).toEqual({ wasLost: true });
  expect(await there.registry.beat(HEARTBEAT)).toEqual({ wasLost: false });
  expect(obstacleTo(await nodeThere(), tiny)).toBeUndefined();

  await fallSilent();
  expect(await watch(LOOK_MS)).toEqual(['node7']);
  await there.registry.beat(HEARTBEAT);
  expect(obstacleTo(await nodeThere(), tiny)).toEqual({ reason: 'it was lost 2 times of late', strict: false });
});

it.each([
  ['looked for too short a time', 5_000, LOOK_MS],
  ['looks too seldom, as when the store was not there in between', 60_000, 5_000],
])('takes nothing for lost that it has not missed itself: %s', async (_, forMs, stepMs) => {
  const { away } = await stock();
  await endHeartbeat();
  expect(await watch(forMs, stepMs)).toEqual([]);
  expect(await statesOf(away)).toEqual(['ready', 'ready']);
});

it('never takes its own node for lost, nor one that was removed', async () => {
  losses = lossesSeenBy('node7');
  await fallSilent();
  expect(await watch(10_000)).toEqual([]);
  await store.registry.remove('node7', []);
  expect(await store.registry.noteLoss('node7')).toBe(false);
});

it('keeps visits for five minutes, then ends those that nobody reaches and takes them off the limits', async () => {
  const { here, away } = await stock();
  await handOut(4);
  const [cutOff, gone] = await Promise.all(away.map(async ({ id }) => (await store.claimStore.find(id))?.instance));
  if (cutOff === undefined || gone === undefined) throw new Error('nothing was handed out');
  await using server = await answering(cutOff.port ?? 0);
  expect(server.listening).toBe(true);
  await watch(10_000);
  await fallSilent();
  expect(await watch(10_000)).toEqual(['node7']);
  expect(await statesOf(away)).toEqual(['assigned', 'assigned']);
  expect(await store.valkey.get(keys.hourlyRate(CLIENT))).toBe('4');

  await store.valkey.hincrby(keys.lostNodes, 'node7', -VISITS_KEPT_MS);
  await watch(LOOK_MS);
  expect(await statesOf([cutOff, gone, ...here])).toEqual([
    'assigned',
    ['releasing', 'node_lost'],
    'assigned',
    'assigned',
  ]);
  expect(await store.valkey.get(keys.hourlyRate(CLIENT))).toBe('3');
});

async function answering(port: number): Promise<Server> {
  const server = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
