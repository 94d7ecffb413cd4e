import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { claimed, viewOf } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Catalogue, type Template } from '../domain/template.ts';
import { keys } from '../store/keys.ts';
import { Scripts } from '../store/scripts.ts';
import { ValkeyUsageStore } from '../store/usage-store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { CpuBounds } from './cpu-bounds.ts';
import { ProcessorWatch, THROTTLED_SHARE, type WatchProcessorDeps } from './watch-processor.ts';

const MINUTE = 60_000;
const never = new AbortController().signal;

let store: TestStore;
let reports: ValkeyUsageStore;
let deps: WatchProcessorDeps;
let watch: ProcessorWatch;
let metrics: Metrics;
let time: number;
let tiny: Template;
/** Of the host, by container: what it uses of a processor, its limit, its connections. */
let cpus: Map<string, number>;
let limits: Map<string, number>;
let connected: Set<string>;

beforeEach(async () => {
  store = await startStore();
  reports = new ValkeyUsageStore(new Scripts(store.valkey), store.valkey);
  await reports.report('proxy-a', [], false);
  tiny = template();
  time = 1_000_000;
  cpus = new Map();
  limits = new Map();
  connected = new Set();
  metrics = new Metrics({ templates: [tiny.name], version: 'test' });
  deps = {
    catalogue: new Catalogue([tiny]),
    inventory: store.inventory,
    usageStore: store.usageStore,
    cleanupStore: store.cleanupStore,
    consumption: {
      // As if it had used as much all the time.
      cpuMs: (container) => Promise.resolve((cpus.get(container) ?? 0.01) * time),
      cpuLimit: (container) => Promise.resolve(limits.get(container) ?? 1),
      isConnected: (container) => Promise.resolve(connected.has(container)),
    },
    cpuBounds: newBounds(),
    steadyClock: { passedMs: () => time },
    node: { name: 'node0' },
    throttleAfterMs: 5 * MINUTE,
    endAfterMs: 15 * MINUTE,
    processors: 8,
    load: () => 0,
    log: new LogBook(),
    observer: metrics,
    requestRefill: () => undefined,
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: () => Promise.resolve(),
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
  };
  watch = new ProcessorWatch(deps);
  await fillPool(store, tiny);
});
afterEach(() => store[Symbol.asyncDispose]());

async function visit(): Promise<Instance> {
  return (await viewOf(store, (await claimed(store)).id)).instance;
}

/** As if that much earlier all of it had happened, for the store and for the watch. */
async function later(ms: number): Promise<void> {
  time += ms;
  const known = Number(await store.valkey.get(keys.useKnownSince));
  await store.valkey.set(keys.useKnownSince, known - ms);
  for (const id of await store.valkey.zrange(keys.lastUsed, 0, -1)) await store.valkey.zincrby(keys.lastUsed, -ms, id);
}

function newBounds(): CpuBounds {
  return new CpuBounds({
    limitCpu: (container, limit) => {
      limits.set(container, limit);
      return Promise.resolve();
    },
  });
}

/** A round each minute. */
async function rounds(minutes: number): Promise<void> {
  for (let passed = 0; passed < minutes; passed += 1) {
    await later(MINUTE);
    await reports.report('proxy-a', [], false);
    await watch.round(never);
  }
}

const reasonOf = async ({ id }: Instance): Promise<string | null> => (await viewOf(store, id)).instance.reason;

it('throttles what keeps its processors busy while nobody uses it, then ends it', async () => {
  const [miner, idle] = [await visit(), await visit()];
  cpus.set(miner.container, 0.9);
  await watch.round(never);
  await rounds(5);
  expect(limits.size).toBe(0);
  await rounds(1);
  expect([...limits]).toEqual([[miner.container, THROTTLED_SHARE]]);
  expect(await metrics.text()).toContain('try_it_now_throttled_total{template="tiny"} 1');
  // It goes on as far as it is let.
  cpus.set(miner.container, 0.09);
  await watch.round(never);
  await rounds(9);
  expect(await reasonOf(miner)).toBeNull();
  await rounds(3);
  expect(await reasonOf(miner)).toBe('cpu_limit');
  expect(await reasonOf(idle)).toBeNull();
});

it('looks at connections itself, so a proxy whose server is silent changes nothing', async () => {
  const miner = await visit();
  cpus.set(miner.container, 0.9);
  await store.usageStore.recordConnected('caddy of pod-1', new Set());
  await store.valkey.hset(keys.useReporters, 'connections:caddy of pod-1', Date.now() - MINUTE);
  await watch.round(never);
  await rounds(6);
  expect([...limits]).toEqual([[miner.container, THROTTLED_SHARE]]);
});

it('asks about visits of its own alone', async () => {
  const miner = await visit();
  cpus.set(miner.container, 0.9);
  const others = Array.from({ length: 500 }, (_, at) => [Date.now() + 10 * MINUTE, `other-${at}`]).flat();
  await store.valkey.zadd(keys.assigned(tiny.name), ...others);
  await store.valkey.zadd(keys.lastUsed, ...others);
  await watch.round(never);
  await store.valkey.config('RESETSTAT');
  await rounds(1);
  const stats = await store.valkey.info('commandstats');
  expect(Number(/cmdstat_zscore:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBeLessThan(10);
});

it('leaves a visitor alone who computes for long with the page open', async () => {
  const [asked, open] = [await visit(), await visit()];
  cpus.set(asked.container, 1);
  cpus.set(open.container, 1);
  connected.add(open.container);
  await watch.round(never);
  for (let passed = 0; passed < 30; passed += 3) {
    await rounds(3);
    await reports.report('proxy-a', [{ label: asked.label, agoMs: undefined }], false);
  }
  expect([...limits]).toEqual([]);
  expect([await reasonOf(asked), await reasonOf(open)]).toEqual([null, null]);
});

it('gives back what it took to whoever comes back, also after a restart', async () => {
  const miner = await visit();
  cpus.set(miner.container, 0.9);
  await watch.round(never);
  await rounds(6);
  expect(limits.get(miner.container)).toBe(THROTTLED_SHARE);
  watch = new ProcessorWatch(deps);
  await watch.round(never);
  expect(limits.get(miner.container)).toBe(THROTTLED_SHARE);
  await reports.report('proxy-a', [{ label: miner.label, agoMs: undefined }], false);
  await watch.round(never);
  expect(limits.get(miner.container)).toBe(1);
  // And the time begins anew.
  await rounds(4);
  expect(limits.get(miner.container)).toBe(1);
});

it('goes by what each of many can get at most', async () => {
  watch = new ProcessorWatch({ ...deps, processors: 1 });
  const miners = [await visit(), await visit(), await visit()];
  for (const { container } of miners) cpus.set(container, 0.33);
  await watch.round(never);
  await rounds(6);
  expect([...limits.keys()].sort()).toEqual(miners.map(({ container }) => container).sort());
});

it('does nothing while nobody can say what is used, and where the template allows it', async () => {
  const miner = await visit();
  cpus.set(miner.container, 0.9);
  await watch.round(never);
  await rounds(4);
  await store.valkey.del(keys.useReporters);
  await later(10 * MINUTE);
  await watch.round(never);
  expect([...limits]).toEqual([]);
  watch = new ProcessorWatch({ ...deps, catalogue: new Catalogue([template({ unusedCpu: 'allow' })]) });
  await watch.round(never);
  await rounds(30);
  expect([...limits]).toEqual([]);
});

it('goes by what is left to a miner while the host is crowded', async () => {
  const miner = await visit();
  const usual = tiny.limits.cpus;
  await deps.cpuBounds.bound(miner.container, usual, 'crowded', 0.05);
  cpus.set(miner.container, 0.05);
  await watch.round(never);
  await rounds(6);
  // Throttled too, and the lower bound holds, also when the host is not crowded any more.
  expect(limits.get(miner.container)).toBe(0.05);
  await deps.cpuBounds.bound(miner.container, usual, 'crowded');
  expect(limits.get(miner.container)).toBeCloseTo(usual * THROTTLED_SHARE, 5);
  await rounds(12);
  expect(await reasonOf(miner)).toBe('cpu_limit');
});
