import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { silent, startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { RUNNING_PROCESS_VERSION, type RunningProcess } from '../domain/running-process.ts';
import { Catalogue, templateVersion, type Template } from '../domain/template.ts';
import { keys } from '../store/keys.ts';
import { openStore } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { retireOutdated } from './retire-outdated.ts';

const older = template({ name: 'tiny', pool: { target: 2, max: 8, replenishThreshold: 0 } });
const newer: Template = { ...older, env: { RELEASE: '2' } };

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(() => store.clear());

/** As the server does that offers these, or as the node that holds `of`. Returns how many are idle then. */
async function retire(offered: readonly Template[], of?: readonly Instance[]): Promise<number> {
  const { cleanupStore, inventory, promotions, processes } = store;
  const deps: Parameters<typeof retireOutdated>[0] = {
    cleanupStore,
    inventory,
    promotions,
    processes,
    catalogue: new Catalogue(offered),
    runtime: {},
    node: { name: 'node0' },
    log: silent,
    observer: new Metrics({ templates: ['tiny'], version: 'test' }),
    requestRefill: () => undefined,
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: () => Promise.resolve(),
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
  };
  await (of === undefined ? retireOutdated(deps, await inventory.list()) : retireOutdated(deps, of, 'node'));
  return (await inventory.list()).filter(({ state }) => state === 'ready').length;
}

/** Another server runs, with these. */
async function announce(offered: readonly Template[]): Promise<void> {
  await store.processes.announce(running(offered));
}

function running(offered: readonly Template[]): RunningProcess {
  return {
    v: RUNNING_PROCESS_VERSION,
    role: 'server',
    version: '1.0.0',
    host: 'a',
    pid: 1,
    node: 'node1',
    startedAtMs: 1,
    templates: Object.fromEntries(offered.map((each) => [each.name, templateVersion(each)])),
    leads: [],
  };
}

it('Idle instances of an older version go, a part at a time, once no server makes them any more', async () => {
  const made = (await fillPool(store, older)).length;
  await announce([older]);
  expect(await retire([newer])).toBe(made);
  await announce([newer]);
  expect(await retire([newer])).toBeLessThan(made);
});

it('Those of a newer version, or of a new template, are left alone by a server that does not have it', async () => {
  const made = (await fillPool(store, newer)).length;
  await announce([newer]);
  expect(await retire([older])).toBe(made);
  expect(await retire([template({ name: 'other' })])).toBe(made);
  await store.processes.leave();
  expect(await retire([template({ name: 'other' })])).toBe(0);
});

it('After an outage of Valkey, none goes until all have had the time to say that they run', async () => {
  const made = (await fillPool(store, older)).length;
  await announce([older]);
  // Nobody reached Valkey for a while.
  const goneMs = 16_000;
  const [id = '', seen = '0'] = await store.valkey.zrange(keys.processesSeen, 0, 0, 'WITHSCORES');
  await store.valkey.zadd(keys.processesSeen, Number(seen) - goneMs, id);
  const first = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node1', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    ...{ portRange: store.portRange, portCoolDownMs: 200, log: silent },
  });
  try {
    await first.processes.announce(running([newer]));
    expect((await store.processes.running()).map(({ templates }) => templates['tiny'])).toEqual([
      templateVersion(newer),
    ]);
    expect(await retire([newer])).toBe(made);
    // The time is over, and nobody else came.
    await store.valkey.hincrby(keys.processes, 'back_ms', -goneMs);
    expect(await retire([newer])).toBeLessThan(made);
  } finally {
    await first.processes.leave();
    await first.close();
  }
});

it('So it is after an outage that only some were silent through for long enough to count as gone', async () => {
  const made = (await fillPool(store, older)).length;
  await announce([older]);
  const [slower = ''] = await store.valkey.zrange(keys.processesSeen, 0, 0);
  const first = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node1', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    ...{ portRange: store.portRange, portCoolDownMs: 200, log: silent },
  });
  try {
    await first.processes.announce(running([newer]));
    const [, at = '0'] = await store.valkey.zrange(keys.processesSeen, 1, 1, 'WITHSCORES');
    for (const id of await store.valkey.zrange(keys.processesSeen, 0, -1))
      await store.valkey.zadd(keys.processesSeen, Number(at) - (id === slower ? 15_500 : 13_500), id);
    // Before anybody said so again, and after the first did.
    expect(await first.processes.everyone()).toBeUndefined();
    await first.processes.announce(running([newer]));
    expect(await first.processes.everyone()).toBeUndefined();
    expect(await retire([newer])).toBe(made);
  } finally {
    await first.processes.leave();
    await first.close();
  }
});

it('Where all have ended properly, who starts later needs to wait for nobody', async () => {
  const made = (await fillPool(store, older)).length;
  await announce([older]);
  await store.processes.leave();
  await announce([newer]);
  expect(await retire([newer])).toBeLessThan(made);
});

it('A node replaces half of its own at a time, and none when half of the pool is gone', async () => {
  const larger = { ...older, pool: { ...older.pool, target: 8 } };
  expect(await fillPool(store, larger)).toHaveLength(8);
  const changed = { ...newer, pool: larger.pool };
  const own = (await store.inventory.list()).slice(0, 3);
  expect(await retire([changed], own)).toBe(6);
  expect(await retire([changed])).toBe(4);
  expect(await retire([changed], own.slice(2))).toBe(4);
});
