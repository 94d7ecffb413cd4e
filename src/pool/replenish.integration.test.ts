import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { fleetNode } from '../../test/support/fleet.ts';
import { TestNats } from '../../test/support/queue.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Heartbeat } from '../domain/node.ts';
import { Catalogue } from '../domain/template.ts';
import { NO_TRACER } from '../domain/tracer.ts';
import { FleetPlanner } from './fleet-planner.ts';
import { replenish } from './replenish.ts';

const TARGET = 3;
const tiny = template({ pool: { target: TARGET, max: TARGET, replenishThreshold: 0 } });
/** No more than the pool is to hold: a single one that is counted and does not come leaves no room for the last. */
const HEARTBEAT = fleetNode({ heartbeat: { capacity: TARGET } }).heartbeat as Heartbeat;

let store: TestStore;
let nats: TestNats;

beforeAll(async () => {
  [store, nats] = await Promise.all([startStore(), TestNats.start()]);
});
afterAll(async () => {
  await Promise.all([store[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
});

it('has all of the room of a node again for what could not be queued, once NATS is back', async () => {
  const { connection, queue } = await nats.publisher();
  await store.registry.beat(HEARTBEAT);
  const placed = async (): Promise<number | undefined> => (await store.registry.node('node0'))?.placed;
  const round = (): Promise<void> =>
    replenish(
      {
        catalogue: new Catalogue([tiny]),
        provisioningStore: store.provisioningStore,
        queue,
        planner: new FleetPlanner({ registry: store.registry, placement: 'spread', log: silent }),
        leavingReady: () => [],
        stranded: () => 0,
        tracer: NO_TRACER,
        askedBy: () => [],
      },
      new AbortController().signal,
    );
  await nats.down();
  await eventually(() => expect(connection.connected).toBe(false));
  for (let time = 0; time < 3; time += 1) {
    await expect(round()).rejects.toMatchObject({ code: 'queue_unavailable' });
    expect([await placed(), await store.valkey.zcard('warming:tiny')]).toEqual([0, 0]);
  }
  await nats.up();
  await eventually(round);
  expect([await placed(), await store.valkey.zcard('warming:tiny')]).toEqual([TARGET, TARGET]);
});
