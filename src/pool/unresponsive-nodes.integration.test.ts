import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startStore, fillPool, silent as quiet, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Catalogue } from '../domain/template.ts';
import { keys } from '../store/keys.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { reap, type ReapDeps } from './reap.ts';
import { UNRESPONSIVE_AFTER_MS, UnresponsiveNodes, OBSERVATION_GAP_MS } from './unresponsive-nodes.ts';

const tiny = template();
let store: TestStore;
let deps: ReapDeps & ConstructorParameters<typeof UnresponsiveNodes>[0];
let queued: string[];
let time: number;

beforeEach(async () => {
  store = await startStore();
  queued = [];
  time = 1_000_000;
  const { claimStore, cleanupStore, provisioningStore, inventory, registry } = store;
  deps = {
    claimStore,
    cleanupStore,
    provisioningStore,
    inventory,
    registry,
    log: quiet,
    catalogue: new Catalogue([tiny]),
    node: { name: 'node0' },
    requestRefill: () => undefined,
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    clock: { now: () => time },
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
  };
});
afterEach(() => store[Symbol.asyncDispose]());

const announce = (node: string, times: number): Promise<unknown> =>
  store.valkey.hset(
    keys.nodes,
    node,
    JSON.stringify({ v: 1, address: '127.0.0.1', engine: 'simulated', seenAtMs: times }),
  );
const stateOf = async ({ id }: Instance): Promise<string | undefined> =>
  (await store.claimStore.find(id))?.instance.state;

/** Looks as the reaper does, for as long as it takes to find a node silent. */
async function watch(
  nodes: UnresponsiveNodes,
  forMs: number,
  stepMs = OBSERVATION_GAP_MS,
): Promise<ReadonlySet<string>> {
  let seen: ReadonlySet<string> = await nodes.check();
  for (let passed = 0; passed < forMs; passed += stepMs) {
    time += stepMs;
    seen = await nodes.check();
  }
  return seen;
}

/** One ready instance here, one on a node that is called node7. */
async function stockOnTwoNodes(): Promise<[Instance, Instance]> {
  const [here, there] = await fillPool(store, tiny);
  if (here === undefined || there === undefined) throw new Error('the pool was not filled');
  await store.valkey.hset(
    keys.instances,
    there.id,
    JSON.stringify({ ...(await store.claimStore.find(there.id))?.instance, node: 'node7' }),
  );
  return [here, there];
}

describe('a node that is not heard of', () => {
  it('has its idle instances withdrawn after two minutes, and its cleanups wait for it', async () => {
    const [here, there] = await stockOnTwoNodes();
    await announce('node0', 1);
    await announce('node7', 1);
    const nodes = new UnresponsiveNodes(deps);
    expect([...(await watch(nodes, UNRESPONSIVE_AFTER_MS - OBSERVATION_GAP_MS))]).toEqual([]);
    expect(await stateOf(there)).toBe('ready');
    const silent = await watch(nodes, OBSERVATION_GAP_MS);
    expect([...silent]).toEqual(['node7']);
    expect([await stateOf(here), await stateOf(there)]).toEqual(['ready', 'releasing']);
    expect(queued).toEqual([there.id]);

    for (const instance of [here, there]) await store.valkey.zadd(keys.leaving('tiny'), 1, instance.id);
    await store.cleanupStore.release(here, 'released', { from: ['ready'] });
    await store.valkey.zadd(keys.leaving('tiny'), 1, here.id);
    await reap(deps, silent);
    expect(queued).toEqual([there.id, here.id]);

    await announce('node7', 2);
    await store.valkey.zadd(keys.leaving('tiny'), 1, there.id);
    await reap(deps, await nodes.check());
    expect(queued).toEqual([there.id, here.id, there.id]);
  });

  it('is not found silent for a time in which nobody looked, or when the store was unavailable', async () => {
    const [, there] = await stockOnTwoNodes();
    await announce('node7', 1);
    const nodes = new UnresponsiveNodes(deps);
    expect([...(await watch(nodes, 3 * UNRESPONSIVE_AFTER_MS, OBSERVATION_GAP_MS + 1))]).toEqual([]);
    expect(await stateOf(there)).toBe('ready');
  });

  it('is never the one that looks, nor one that goes on announcing itself', async () => {
    await stockOnTwoNodes();
    await announce('node0', 1);
    const nodes = new UnresponsiveNodes(deps);
    for (let round = 0; round < 30; round += 1) {
      await announce('node7', round);
      time += OBSERVATION_GAP_MS;
      expect([...(await nodes.check())]).toEqual([]);
    }
  });
});
