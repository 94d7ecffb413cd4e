import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { claimed, viewOf } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { Catalogue } from '../domain/template.ts';
import { keys } from '../store/keys.ts';
import { Scripts } from '../store/scripts.ts';
import { ValkeyUsageStore } from '../store/usage-store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { endUnused, leaveProxy, type EndUnusedDeps } from './end-unused.ts';

const MINUTE = 60_000;
const tiny = template({ idle: { endAfterMs: 5 * MINUTE, warnMs: MINUTE } });

let store: TestStore;
let reports: ValkeyUsageStore;
beforeAll(async () => {
  store = await startStore();
  reports = new ValkeyUsageStore(new Scripts(store.valkey), store.valkey);
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  await store.clear();
  await fillPool(store, tiny);
});

/** A server with a proxy of its own, through which visitors are connected there. */
function server(name: string, held: boolean, ...visits: readonly Instance[]): EndUnusedDeps {
  const connected = new Set(visits.map(({ node, port }) => `${node}:${String(port)}`));
  return {
    catalogue: new Catalogue([tiny]),
    claimStore: store.claimStore,
    cleanupStore: store.cleanupStore,
    usageStore: store.usageStore,
    proxy: { name, connected: () => Promise.resolve(connected) },
    leads: { held },
    log: new LogBook(),
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    requestRefill: () => undefined,
    queue: {
      publishProvision: () => Promise.resolve(),
      publishCleanup: () => Promise.resolve(),
      provisions: () => Promise.resolve({ waiting: 0, outstanding: 0 }),
      leftovers: () => Promise.resolve([]),
      discard: () => Promise.resolve(0),
    },
  };
}

async function visit(): Promise<Instance> {
  return (await viewOf(store, (await claimed(store)).id)).instance;
}

/** As if nobody had asked for anything for that long. */
async function later(ms: number): Promise<void> {
  await store.valkey.set(keys.useKnownSince, Number(await store.valkey.get(keys.useKnownSince)) - ms);
  for (const id of await store.valkey.zrange(keys.lastUsed, 0, -1)) await store.valkey.zincrby(keys.lastUsed, -ms, id);
  await reports.report('discovery', [], false);
}

const stateOf = async ({ id }: Instance): Promise<string> => (await viewOf(store, id)).instance.state;

it('one server looks at the visits, and knows of each who is connected', async () => {
  const [left, here, there] = [await visit(), await visit(), await visit()];
  const leading = server('caddy-a', true, here);
  const another = server('caddy-b', false, there);
  await reports.report('discovery', [], false);
  await endUnused(leading);
  await endUnused(another);
  await later(10 * MINUTE);
  await store.valkey.config('RESETSTAT');
  await endUnused(another);
  expect(await store.valkey.info('commandstats')).not.toMatch(/cmdstat_zrange:/);
  expect(await Promise.all([left, here, there].map(stateOf))).toEqual(['assigned', 'assigned', 'assigned']);
  await endUnused(leading);
  expect(await Promise.all([left, here, there].map(stateOf))).toEqual(['releasing', 'assigned', 'assigned']);
});

it('a server that leaves says who is connected still', async () => {
  const held = await visit();
  const leading = server('caddy-a', true);
  const leaving = server('caddy-b', false, held);
  await reports.report('discovery', [], false);
  await endUnused(leading);
  await endUnused(leaving);
  await later(10 * MINUTE);
  await leaveProxy(leaving);
  await endUnused(leading);
  expect(await stateOf(held)).toBe('assigned');
  expect((await viewOf(store, held.id)).lastUsedMs).toBeGreaterThan(Date.now() - MINUTE);
});
