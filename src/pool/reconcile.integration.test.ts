import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestNats } from '../../test/support/queue.ts';
import { fillPool, silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { TryItNowError } from '../domain/errors.ts';
import { Catalogue } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { reconcile, type ReconcileDeps } from './reconcile.ts';

const tiny = template();
const releasers = new Releasers();
let store: TestStore;
let deps: Omit<ReconcileDeps, 'beat'>;
beforeAll(async () => {
  const nats = await TestNats.start();
  releasers.push('NATS', () => nats[Symbol.asyncDispose]());
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  const runtime = new SimulatedRuntime();
  releasers.push('runtime', () => runtime.close());
  deps = {
    ...store,
    ...{ runtime, catalogue: new Catalogue([tiny]), log: silent, fitness: { prepare: () => runtime.prepare() } },
    ...{ networks: undefined, databases: undefined, proxy: undefined },
    queue: (await nats.publisher()).queue,
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    clock: { now: () => 1_000_000 },
    node: { name: 'node0' },
    requestRefill: () => undefined,
  };
});
afterAll(() => releasers.releaseAll(silent));

const states = async () => new Set((await store.inventory.list()).map(({ state }) => state));

it('touches nothing that is recorded of a node whose name another host may have', async () => {
  await fillPool(store, tiny);
  const beat = (): Promise<void> => Promise.reject(new TryItNowError('invalid_config', 'it has another host'));
  for (const scope of ['all', 'node'] as const)
    await expect(reconcile({ ...deps, beat }, scope)).rejects.toMatchObject({ code: 'invalid_config' });
  expect(await states()).toEqual(new Set(['ready']));
  // By that, discovery finds its instances.
  expect(await store.registry.nodes()).toEqual([]);

  // As where this process stood still after the first, and another host came meanwhile.
  let beats = 0;
  const once = (): Promise<void> => ((beats += 1) === 1 ? Promise.resolve() : beat());
  await expect(reconcile({ ...deps, beat: once }, 'node')).rejects.toMatchObject({ code: 'invalid_config' });
  expect(await states()).toEqual(new Set(['ready']));

  // They have no containers here.
  await reconcile({ ...deps, beat: () => Promise.resolve() }, 'node');
  expect(await states()).toEqual(new Set(['releasing']));
  expect(await store.registry.nodes()).toMatchObject([{ name: 'node0' }]);
});
