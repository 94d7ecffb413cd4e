import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimPorts } from '../../test/support/port-ranges.ts';
import { fillPool, silent, startStore, warm, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { Catalogue } from '../domain/template.ts';
import { openStore, type Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { NodeDrains } from './node-drains.ts';

const TARGET = 230;
const large = template({ pool: { target: TARGET, max: 3 * TARGET, replenishThreshold: 0 } });

let store: TestStore;
let ranges: readonly Awaited<ReturnType<typeof claimPorts>>[];
let there: Store;
beforeAll(async () => {
  ranges = [await claimPorts(TARGET), await claimPorts(TARGET)];
  const [own, others] = ranges;
  if (own === undefined || others === undefined) throw new Error('there are no ports');
  store = await startStore({ portRange: own });
  there = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node7', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: others,
    portCoolDownMs: 200,
    log: silent,
  });
  await there.inventory.reconcilePorts();
});
afterAll(async () => {
  await there.close();
  await store[Symbol.asyncDispose]();
  for (const range of ranges) await range[Symbol.asyncDispose]();
});

it('replaces all that a drained node has ready, some hundred at a time', async () => {
  const withdrawn: string[] = [];
  const drains = new NodeDrains({
    ...store,
    log: silent,
    catalogue: new Catalogue([large]),
    requestRefill: () => undefined,
    observer: new Metrics({ templates: [large.name], version: 'test' }),
    nodeQueue: { recallable: () => Promise.resolve([]) },
    turn: store.turns.of('nodes'),
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: ({ id }) => {
        withdrawn.push(id);
        return Promise.resolve();
      },
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
  });
  const before = await fillPool(store, large);
  await store.registry.announce('simulated');
  await store.registry.control('node0', 'draining');

  for (const next of [200, TARGET - 200]) {
    await drains.round();
    const going = drains.leavingReady(large.name);
    expect(going).toHaveLength(next);
    const tickets = await planned(going);
    expect(tickets).toHaveLength(next);
    for (const id of tickets) await there.provisioningStore.markReady(await warm(there, large, id), large);
    await drains.round();
    expect(withdrawn).toEqual(expect.arrayContaining([...going]));
  }
  expect(withdrawn.toSorted()).toEqual(before.map(({ id }) => id).toSorted());
  expect(drains.leavingReady(large.name)).toHaveLength(TARGET - 200);
  await drains.round();
  expect(drains.leavingReady(large.name)).toEqual([]);
  expect((await store.inventory.stats([large])).get(large.name)).toMatchObject({ ready: TARGET, warming: 0 });
});

/** As a refill does: until nothing more is to be made. */
async function planned(going: readonly string[]): Promise<readonly string[]> {
  const all: string[] = [];
  for (;;) {
    const ids = await store.provisioningStore.reserveTickets(large, { going });
    if (ids.length === 0) return all;
    all.push(...ids);
  }
}
