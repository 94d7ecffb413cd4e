import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { claimed, viewOf } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { CrowdingWatch, type WatchCrowdingDeps } from './watch-crowding.ts';

const tiny = template();
const never = new AbortController().signal;

let store: TestStore;
let watch: CrowdingWatch;
let deps: WatchCrowdingDeps;
let time: number;
let log: LogBook;
/** By container: what it uses of a processor, and the processes a second that it is refused. */
let cpus: Map<string, number>;
let refused: Map<string, number>;
let shares: Map<string, number>;
/** What was used and refused so far, by container. */
let used: Map<string, number>;
let refusals: Map<string, number>;
let removed: string[];

beforeEach(async () => {
  store = await startStore();
  [time, log, removed] = [1_000_000, new LogBook(), []];
  cpus = new Map();
  refused = new Map();
  shares = new Map();
  used = new Map();
  refusals = new Map();
  deps = {
    log,
    node: { name: 'node0' },
    clock: { now: () => time },
    inventory: store.inventory,
    cleanupStore: store.cleanupStore,
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    requestRefill: () => undefined,
    consumption: {
      cpuMs: (container) => Promise.resolve(used.get(container) ?? 0),
      cpuShare: (container) => Promise.resolve(shares.get(container) ?? 1),
      weighCpu: (container, share) => {
        shares.set(container, share);
        return Promise.resolve();
      },
      refusedProcesses: (container) => Promise.resolve(refusals.get(container) ?? 0),
    },
    runtime: {
      remove: (container) => {
        removed.push(container);
        return Promise.resolve();
      },
    },
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: () => Promise.resolve(),
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
  };
  watch = new CrowdingWatch(deps);
  await fillPool(store, tiny);
});
afterEach(() => store[Symbol.asyncDispose]());

async function visit(): Promise<Instance> {
  return (await viewOf(store, (await claimed(store)).id)).instance;
}

/** Every two seconds. */
async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) {
    await watch.round(never);
    time += 2_000;
    for (const [container, share] of cpus) used.set(container, (used.get(container) ?? 0) + share * 2_000);
    for (const [container, each] of refused) refusals.set(container, (refusals.get(container) ?? 0) + each * 2);
  }
}

it('gives the less weight to a visit the more of the processors it has used of late', async () => {
  const [burner, light] = [await visit(), await visit()];
  cpus.set(light.container, 0.05);
  cpus.set(burner.container, 0.4);
  await rounds(30);
  expect([...shares]).toEqual([[burner.container, 1 / 4]]);
  cpus.set(burner.container, 100);
  await rounds(60);
  expect(shares.get(burner.container)).toBe(1 / 8);
  // A server that starts again finds what the one before has set.
  watch = new CrowdingWatch(deps);
  cpus.set(burner.container, 0.01);
  await rounds(30);
  expect([...shares]).toEqual([[burner.container, 1]]);
  expect(removed).toEqual([]);
});

it('ends a visit that makes processes without end, and none that waits for its own to end', async () => {
  const [bomb, full] = [await visit(), await visit()];
  refused.set(bomb.container, 1_000).set(full.container, 2);
  cpus.set(bomb.container, 1);
  await rounds(2);
  expect(removed).toEqual([]);
  await rounds(1);
  expect(removed).toEqual([bomb.container]);
  // It is not in the way of its own end.
  expect(shares.get(bomb.container)).toBe(1);
  expect((await viewOf(store, bomb.id)).instance.reason).toBe('process_limit');
  await rounds(5);
  expect((await viewOf(store, full.id)).instance.state).toBe('assigned');
});
