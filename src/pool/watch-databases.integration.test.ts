import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { click } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import { Catalogue } from '../domain/template.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { InstanceView } from './interfaces/claim-store.ts';
import type { Inventory } from './interfaces/inventory.ts';
import { DatabaseWatch, type WatchDatabasesDeps } from './watch-databases.ts';

const MIB = 2 ** 20;
const seeded = template({
  database: { engine: 'mariadb', seedFile: '/seed.sql', seedDigest: '0123456789abcdef' },
  databaseBytes: 10 * MIB,
  pool: { target: 4, max: 4, replenishThreshold: 0 },
});
const never = new AbortController().signal;

let store: TestStore;
let deps: WatchDatabasesDeps;
let watch: DatabaseWatch;
let log: LogBook;
let visits: Instance[];
/** By container. */
let connections: Map<string, number>;
/** By database; undefined: the server takes no connection. */
let sizes: Map<string, number> | undefined;
let killed: string[];

beforeEach(async () => {
  store = await startStore();
  log = new LogBook();
  connections = new Map();
  sizes = new Map();
  killed = [];
  const databaseOf = ({ id }: Instance) => `tin_of_${id}`;
  const inventory: Pick<Inventory, 'visits'> = {
    visits: async (node) =>
      (await store.inventory.visits(node)).map((each) => ({ ...each, database: databaseOf(each) })),
  };
  deps = {
    log,
    catalogue: new Catalogue([seeded]),
    node: { name: 'node0' },
    observer: new Metrics({ templates: [seeded.name], version: 'test' }),
    inventory,
    cleanupStore: store.cleanupStore,
    requestRefill: () => undefined,
    consumption: {
      connectionsTo: (socket, container) => Promise.resolve(connections.get(`${socket} ${container}`)),
      kill: (container) => {
        killed.push(container);
        return Promise.resolve();
      },
    },
    databases: {
      socketNameOf: () => 'mysqld.sock',
      sizes: () =>
        sizes === undefined
          ? Promise.reject(new TryItNowError('database_unavailable', 'Too many connections'))
          : Promise.resolve(sizes),
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
  watch = new DatabaseWatch(deps);
  await fillPool(store, seeded);
  visits = [];
  for (let at = 0; at < 3; at += 1) {
    const outcome = await store.claimStore.claim(click({ template: seeded, clientKey: `203.0.113.${at}` }));
    if (outcome.kind !== 'taken') throw new Error(`expected an instance, got ${outcome.kind}`);
    visits.push(((await store.claimStore.find(outcome.id)) as InstanceView).instance);
  }
});
afterEach(() => store[Symbol.asyncDispose]());

const at = (index: number): Instance => visits[index] as Instance;
const recordOf = async ({ id }: Instance) => (await store.claimStore.find(id))?.instance;

it('ends who holds too many connections, also when the server takes no more', async () => {
  sizes = undefined;
  connections.set(`mysqld.sock ${at(0).container}`, 2_050);
  connections.set(`mysqld.sock ${at(1).container}`, 100);
  await expect(watch.round(never)).rejects.toMatchObject({ code: 'database_unavailable' });
  expect(killed).toEqual([at(0).container]);
  expect(await recordOf(at(0))).toMatchObject({ state: 'releasing', reason: 'database_limit' });
  expect(await recordOf(at(1))).toMatchObject({ state: 'assigned' });
  expect(log.with('held so many connections')).toHaveLength(1);
});

it('ends whose database is larger than the template allows', async () => {
  sizes?.set(`tin_of_${at(1).id}`, 10 * MIB);
  sizes?.set(`tin_of_${at(2).id}`, 10 * MIB + 1);
  await watch.round(never);
  expect(killed).toEqual([at(2).container]);
  expect(await recordOf(at(2))).toMatchObject({ state: 'releasing', reason: 'database_limit' });
  expect(await recordOf(at(1))).toMatchObject({ state: 'assigned' });
});
