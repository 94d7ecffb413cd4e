import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { leftAt } from '../../test/support/left-at.ts';
import { LogBook } from '../../test/support/queue.ts';
import { fleetNode } from '../../test/support/fleet.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { click } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Catalogue } from '../domain/template.ts';
import { NO_TRACER } from '../domain/tracer.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Consumption, DiskUse, StorageRoom } from './interfaces/consumption.ts';
import { FleetPlanner } from './fleet-planner.ts';
import { replenish } from './replenish.ts';
import { StorageReserve } from './storage-reserve.ts';
import { DiskWatch, type WatchDiskDeps } from './watch-disk.ts';

const MIB = 2 ** 20;
const ROOMY: StorageRoom = {
  path: '/storage',
  total: { bytes: 2 ** 40, files: 1_000_000 },
  free: { bytes: 2 ** 39, files: 900_000 },
};
const VISITS = 12;
const tiny = template({
  disk: { bytes: 10 * MIB, files: 100 },
  pool: { target: VISITS, max: 20, replenishThreshold: 0 },
});
const never = new AbortController().signal;

let store: TestStore;
let deps: WatchDiskDeps;
let watch: DiskWatch;
let log: LogBook;
let metrics: Metrics;
let visits: Instance[];
/** Of the host: what each container has written, and how much room there is. */
let written: Map<string, DiskUse>;
/** Who moves files while they are looked at. */
let disturbed: Set<string>;
/** Who takes longer to look at than anybody waits. */
let slow: Set<string>;
/** What of it the host cannot read. */
let fault: string | undefined;
let cpuMs: Map<string, number>;
let room: StorageRoom;
let looked: string[];
let killed: string[];
let removed: string[];

beforeEach(async () => {
  store = await startStore();
  log = new LogBook();
  metrics = new Metrics({ templates: [tiny.name], version: 'test' });
  written = new Map();
  disturbed = new Set();
  slow = new Set();
  fault = undefined;
  cpuMs = new Map();
  room = ROOMY;
  [looked, killed, removed] = [[], [], []];
  const consumption: Pick<Consumption, 'storage' | 'kill' | 'cpuMs' | 'diskUse'> = {
    storage: () => Promise.resolve(room),
    kill: (container) => {
      killed.push(container);
      return Promise.resolve();
    },
    cpuMs: (container) => {
      // Whoever has an entry is using the processor.
      const used = cpuMs.get(container);
      if (used !== undefined) cpuMs.set(container, used + 100);
      return Promise.resolve(used ?? 5_000);
    },
    diskUse: async (container, _, signal) => {
      looked.push(container);
      if (slow.has(container)) await longLook(signal);
      const partial = disturbed.has(container);
      const failing = fault === undefined ? {} : { fault };
      return { bytes: 0, files: 1, partial, ...written.get(container), ...failing };
    },
  };
  deps = {
    consumption,
    log,
    catalogue: new Catalogue([tiny]),
    node: { name: 'node0' },
    observer: metrics,
    inventory: store.inventory,
    cleanupStore: store.cleanupStore,
    requestRefill: () => undefined,
    runtime: {
      remove: (container) => {
        removed.push(container);
        return Promise.resolve();
      },
    },
    storageReserve: new StorageReserve({ consumption, reserveBytes: 1024 * MIB, observer: metrics, log }),
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: () => Promise.resolve(),
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
  };
  watch = new DiskWatch(deps);
  await fillPool(store, tiny);
  visits = [];
  for (let at = 0; at < VISITS - 1; at += 1) {
    const outcome = await store.claimStore.claim(click({ template: tiny, clientKey: `203.0.113.${at}` }));
    if (outcome.kind !== 'taken') throw new Error(`expected an instance, got ${outcome.kind}`);
    const view = await store.claimStore.find(outcome.id);
    if (view === undefined) throw new Error(`no record of ${outcome.id}`);
    visits.push(view.instance);
  }
});
afterEach(() => store[Symbol.asyncDispose]());

const PATIENCE_MS = 20;
/** Ends as a look does that is ended, or some time after the patience. */
const longLook = (signal: AbortSignal): Promise<unknown> => setTimeout(3 * PATIENCE_MS, undefined, { signal });

const recordOf = async ({ id }: Instance) => (await store.claimStore.find(id))?.instance;
const at = (index: number): Instance => {
  const visit = visits[index];
  if (visit === undefined) throw new Error(`there is no visit ${index}`);
  return visit;
};

it('ends nobody’s visit for what the host cannot read, and says it once', async () => {
  fault = "find: '/data/x': Input/output error";
  for (let round = 0; round < 8; round += 1) await watch.round(never);
  expect(killed).toEqual([]);
  expect(log.with('A disk cannot be read').map(({ fields }) => fields)).toMatchObject([{ reason: fault }]);
});

it('ends the visits that wrote more than their template allows, and nobody else’s', async () => {
  written.set(at(3).container, { bytes: 11 * MIB, files: 3 });
  written.set(at(7).container, { bytes: 0, files: 101 });
  written.set(at(9).container, { bytes: 10 * MIB, files: 100 });
  // All have had their turn after two rounds.
  await watch.round(never);
  await watch.round(never);
  expect(new Set(looked)).toEqual(new Set(visits.map(({ container }) => container)));
  expect(killed.sort()).toEqual([at(3).container, at(7).container].sort());
  expect(await recordOf(at(3))).toMatchObject({ state: 'releasing', reason: 'disk_limit' });
  expect(await recordOf(at(7))).toMatchObject({ state: 'releasing', reason: 'disk_limit' });
  expect(await recordOf(at(9))).toMatchObject({ state: 'assigned' });
  expect(await metrics.text()).toContain('try_it_now_releases_total{template="tiny",reason="disk_limit"} 2');
});

it('leaves nothing at the signal of its rounds, whether a look is done or takes too long', async () => {
  watch = new DiskWatch({ ...deps, patienceMs: PATIENCE_MS });
  const life = new AbortController().signal;
  slow = new Set([at(0).container]);
  for (let round = 0; round < 3; round += 1) await watch.round(life);
  expect(leftAt(life)).toBe(0);
});

it('ends a visit that three looks in a row could not see through, and none that one could', async () => {
  disturbed = new Set([at(3).container, at(7).container]);
  // Nobody rests whom a look did not see through.
  for (let round = 0; round < 2; round += 1) await watch.round(never);
  disturbed.delete(at(7).container);
  for (let round = 0; round < 2; round += 1) await watch.round(never);
  disturbed.add(at(7).container);
  for (let round = 0; round < 2; round += 1) await watch.round(never);
  expect(await recordOf(at(3))).toMatchObject({ state: 'releasing', reason: 'disk_limit' });
  expect(await recordOf(at(7))).toMatchObject({ state: 'assigned' });
  expect(killed).toEqual([at(3).container]);
  expect(log.with('so that nobody can count them')).toHaveLength(1);
});

it('has nobody wait for looks that take long, which have rounds of their own', async () => {
  watch = new DiskWatch({ ...deps, patienceMs: PATIENCE_MS });
  slow = new Set([0, 1, 2, 3, 4].map((each) => at(each).container));
  disturbed = new Set([at(0).container]);
  written.set(at(1).container, { bytes: 11 * MIB, files: 3 });
  for (let round = 0; round < 2; round += 1) await watch.round(never);
  expect(new Set(looked)).toEqual(new Set(visits.map(({ container }) => container)));
  expect(killed).toEqual([]);
  looked.length = 0;
  room = { ...ROOMY, free: { ...ROOMY.free, bytes: ROOMY.free.bytes - 100 * MIB } };
  await watch.round(never);
  expect(looked.filter((container) => slow.has(container))).toEqual([]);
  // Those are looked at to the end, and count as all others do.
  await watch.slowRound(never);
  expect(new Set(looked)).toEqual(new Set(visits.map(({ container }) => container)));
  expect(killed).toEqual([at(1).container]);
  for (let round = 0; round < 2; round += 1) await watch.slowRound(never);
  expect(killed).toEqual([at(1).container, at(0).container]);
});

it('says of a visit that looks at it come to nothing again and again', async () => {
  deps.consumption.diskUse = () => Promise.reject(new Error('the look takes too long'));
  for (let round = 0; round < 8; round += 1) await watch.round(never);
  expect(log.with('Nobody can say what an instance has written')).toHaveLength(visits.length);
});

it('leaves alone who rests, until that has been long or somebody fills the disk', async () => {
  const lookedIn = async (rounds: number): Promise<string[]> => {
    looked.length = 0;
    for (let round = 0; round < rounds; round += 1) await watch.round(never);
    return looked;
  };
  expect(await lookedIn(2)).toHaveLength(visits.length);
  expect(await lookedIn(3)).toEqual([]);
  cpuMs.set(at(2).container, 6_000);
  expect(await lookedIn(1)).toEqual([at(2).container]);
  cpuMs.delete(at(2).container);
  room = { ...ROOMY, free: { ...ROOMY.free, bytes: ROOMY.free.bytes - 100 * MIB } };
  expect(new Set(await lookedIn(1)).size).toBe(visits.length);
  expect(await lookedIn(19)).toEqual([]);
  expect(new Set(await lookedIn(2))).toEqual(new Set(visits.map(({ container }) => container)));
});

it('looks at the busiest at once when the disk fills', async () => {
  await watch.round(never);
  const unseen = visits.filter(({ container }) => !looked.includes(container));
  const [busy] = unseen;
  if (busy === undefined) throw new Error('the first round looked at everybody');
  // Of those whose turn comes late, one writes.
  looked.length = 0;
  cpuMs.set(busy.container, 0);
  written.set(busy.container, { bytes: 200 * MIB, files: 2 });
  room = { ...ROOMY, free: { ...ROOMY.free, bytes: ROOMY.free.bytes - 200 * MIB } };
  await watch.round(never);
  expect(looked[0]).toBe(busy.container);
  expect(killed).toEqual([busy.container]);
  // The rest is left to the queue.
  expect(removed).toEqual([]);
});

it('removes the container when its end cannot be recorded, as where the store has no room either', async () => {
  written.set(at(0).container, { bytes: 11 * MIB, files: 3 });
  const cleanupStore = Object.assign(Object.create(store.cleanupStore) as typeof store.cleanupStore, {
    release: () => Promise.reject(new Error('no space left on device')),
  });
  watch = new DiskWatch({ ...deps, cleanupStore });
  await watch.round(never);
  await watch.round(never);
  expect(killed).toContain(at(0).container);
  expect(removed).toContain(at(0).container);
  expect(await recordOf(at(0))).toMatchObject({ state: 'assigned' });
});

it('has nothing more started while the disk is nearly full', async () => {
  const more = template({ ...tiny, pool: { ...tiny.pool, target: VISITS } });
  const published: string[] = [];
  const planner = new FleetPlanner({
    registry: {
      nodes: () =>
        Promise.resolve([fleetNode({ heartbeat: { disk: { total: 1, free: 1, low: deps.storageReserve.low } } })]),
      place: () => Promise.resolve(),
    },
    placement: 'spread',
    log,
  });
  const refill = () =>
    replenish(
      {
        catalogue: new Catalogue([more]),
        provisioningStore: store.provisioningStore,
        planner,
        leavingReady: () => [],
        stranded: () => 0,
        tracer: NO_TRACER,
        askedBy: () => [],
        queue: {
          ...deps.queue,
          publishProvision: (tasks) => {
            published.push(...tasks.map(({ id }) => id));
            return Promise.resolve();
          },
        },
      },
      never,
    );
  for (const free of [
    { bytes: 1023 * MIB, files: 900_000 },
    { bytes: 2 ** 39, files: 19_000 },
  ]) {
    room = { ...ROOMY, free };
    await watch.round(never);
    await refill();
    expect(published).toEqual([]);
    expect(await metrics.text()).toContain('try_it_now_storage_low 1');
  }
  expect(log.with('The disk that containers lie on is nearly full')).toHaveLength(1);
  room = ROOMY;
  await watch.round(never);
  await refill();
  expect(published.length).toBeGreaterThan(0);
  expect(await metrics.text()).toContain('try_it_now_storage_low 0');
});
