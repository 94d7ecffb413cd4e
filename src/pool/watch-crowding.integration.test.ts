import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { claimed, viewOf } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Catalogue } from '../domain/template.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { CpuBounds } from './cpu-bounds.ts';
import type { Consumption } from './interfaces/consumption.ts';
import { CrowdingWatch, type WatchCrowdingDeps } from './watch-crowding.ts';
import { THROTTLED_SHARE } from './watch-processor.ts';

const tiny = template();
const PROCESSORS = 2;
const never = new AbortController().signal;

const limiter: Pick<Consumption, 'limitCpu'> = {
  limitCpu: (container, limit) => {
    limits.set(container, limit);
    return Promise.resolve();
  },
};
let store: TestStore;
let watch: CrowdingWatch;
let deps: WatchCrowdingDeps;
let time: number;
let log: LogBook;
/** How many of the host's processors are in use. */
let busy: number;
/** By container: what it uses of a processor, as does who reads its output; processes a second that it is refused. */
let cpus: Map<string, number>;
let reading: Map<string, number>;
let refused: Map<string, number>;
let shares: Map<string, number>;
let limits: Map<string, number>;
/** What was used, read and refused so far, by container. */
let used: Map<string, number>;
let read: Map<string, number>;
let refusals: Map<string, number>;
let looksInto: string[];
let hostBusyMs: number;
let killed: string[];

beforeEach(async () => {
  store = await startStore();
  [time, log, killed, busy, hostBusyMs] = [1_000_000, new LogBook(), [], 0, 0];
  cpus = new Map();
  reading = new Map();
  refused = new Map();
  shares = new Map();
  limits = new Map();
  used = new Map();
  read = new Map();
  refusals = new Map();
  looksInto = [];
  deps = {
    log,
    catalogue: new Catalogue([tiny]),
    processors: PROCESSORS,
    processorTimes: () => ({ busyMs: hostBusyMs, allMs: time * PROCESSORS }),
    cpuBounds: new CpuBounds(limiter),
    node: { name: 'node0' },
    steadyClock: { passedMs: () => time },
    inventory: store.inventory,
    cleanupStore: store.cleanupStore,
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    requestRefill: () => undefined,
    consumption: {
      kill: (container) => {
        killed.push(container);
        return Promise.resolve();
      },
      outputMs: (container) => {
        looksInto.push(container);
        return Promise.resolve(read.get(container) ?? 0);
      },
      cpuMs: (container) => Promise.resolve(used.get(container) ?? 0),
      cpuLimit: (container) => Promise.resolve(limits.get(container)),
      cpuShare: (container) => Promise.resolve(shares.get(container) ?? 1),
      weighCpu: (container, share) => {
        shares.set(container, share);
        return Promise.resolve();
      },
      refusedProcesses: (container) => Promise.resolve(refusals.get(container) ?? 0),
    },
    runtime: {
      remove: () => Promise.resolve(),
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

const addEach = (to: Map<string, number>, each: ReadonlyMap<string, number>, times: number): void => {
  for (const [container, value] of each) to.set(container, (to.get(container) ?? 0) + value * times);
};

/** Every second. */
async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) {
    await watch.round(never);
    time += 1_000;
    hostBusyMs += busy * 1_000;
    addEach(used, cpus, 1_000);
    addEach(read, reading, 1_000);
    addEach(refusals, refused, 1);
  }
}

it('gives the less weight to a visit the more of the processors it has used of late', async () => {
  const [burner, light] = [await visit(), await visit()];
  cpus.set(light.container, 0.02);
  cpus.set(burner.container, 0.08);
  await rounds(60);
  expect([...shares]).toEqual([[burner.container, 1 / 4]]);
  cpus.set(burner.container, 100);
  await rounds(60);
  expect(shares.get(burner.container)).toBe(1 / 8);
  // A server that starts again finds what the one before has set.
  watch = new CrowdingWatch(deps);
  cpus.set(burner.container, 0.01);
  await rounds(60);
  expect([...shares]).toEqual([[burner.container, 1]]);
  expect(killed).toEqual([]);
});

it('ends a visit that makes processes without end, and none that waits for its own to end', async () => {
  const [bomb, flagrant, full] = [await visit(), await visit(), await visit()];
  refused.set(bomb.container, 500).set(flagrant.container, 5_000).set(full.container, 2);
  cpus.set(bomb.container, 1).set(flagrant.container, 0.4);
  await rounds(2);
  expect(killed).toEqual([flagrant.container]);
  await rounds(1);
  expect(killed).toEqual([flagrant.container, bomb.container]);
  expect((await viewOf(store, bomb.id)).instance.reason).toBe('process_limit');
  await rounds(5);
  expect((await viewOf(store, full.id)).instance.state).toBe('assigned');
});

it('looks no further into a visit that uses no processor', async () => {
  const [reader, busier] = [await visit(), await visit()];
  cpus.set(reader.container, 0.0005).set(busier.container, 0.01);
  await rounds(5);
  expect(looksInto.filter((each) => each === reader.container)).toHaveLength(1);
  expect(looksInto.filter((each) => each === busier.container)).toHaveLength(5);
  // What it does all at once is seen all the same.
  cpus.set(reader.container, 0.4);
  refused.set(reader.container, 5_000);
  await rounds(2);
  expect(killed).toEqual([reader.container]);
});

it('leaves those less who take much while the host is crowded, and gives it back', async () => {
  const [burner, other, light] = [await visit(), await visit(), await visit()];
  cpus.set(burner.container, 0.9).set(other.container, 0.9).set(light.container, 0.04);
  busy = 1.9;
  await rounds(20);
  // A tenth of two processors, for both together.
  expect(Object.fromEntries(limits)).toEqual({ [burner.container]: 0.1, [other.container]: 0.1 });
  // What is left to them is what they use.
  cpus.set(burner.container, 0.1).set(other.container, 0.1);
  busy = 1.2;
  await rounds(20);
  expect(limits.get(burner.container)).toBe(0.1);
  busy = 0.4;
  await rounds(20);
  expect([...limits.values()]).toEqual([tiny.limits.cpus, tiny.limits.cpus]);
});

it('gives back what the server before it has taken', async () => {
  const burner = await visit();
  cpus.set(burner.container, 0.9);
  busy = 1.9;
  await rounds(20);
  expect([...limits]).toEqual([[burner.container, 0.2]]);
  watch = new CrowdingWatch({ ...deps, cpuBounds: new CpuBounds(limiter) });
  cpus.set(burner.container, 0.01);
  busy = 0.1;
  await rounds(2);
  expect([...limits]).toEqual([[burner.container, tiny.limits.cpus]]);
  // That nobody uses it is not its own to judge.
  limits.set(burner.container, tiny.limits.cpus * THROTTLED_SHARE);
  watch = new CrowdingWatch({ ...deps, cpuBounds: new CpuBounds(limiter) });
  await rounds(3);
  expect([...limits]).toEqual([[burner.container, tiny.limits.cpus * THROTTLED_SHARE]]);
});

it('lets who takes much have all that nobody wants', async () => {
  const burner = await visit();
  cpus.set(burner.container, 1);
  busy = 1.3;
  await rounds(30);
  expect([...limits]).toEqual([]);
});

it('ends a visit whose output takes a twentieth of a processor to read, but not for a burst', async () => {
  const [flood, burst, bounded] = [await visit(), await visit(), await visit()];
  for (const { container } of [flood, burst, bounded]) cpus.set(container, 0.8);
  reading.set(flood.container, 0.06).set(burst.container, 0.3).set(bounded.container, 0.03);
  await rounds(4);
  reading.delete(burst.container);
  await rounds(3);
  expect(killed).toEqual([flood.container]);
  expect((await viewOf(store, flood.id)).instance.reason).toBe('output_limit');
  // Who gets little of the processors writes little, and does nothing else.
  cpus.set(bounded.container, 0.06);
  await rounds(7);
  expect(killed).toEqual([flood.container, bounded.container]);
  expect((await viewOf(store, burst.id)).instance.state).toBe('assigned');
});
