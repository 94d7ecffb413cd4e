import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../../test/support/mariadb.ts';
import { TestNats } from '../../test/support/queue.ts';
import { fillPool, silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { newAttempt, newInstanceId } from '../domain/ids.ts';
import { RUNNING_PROCESS_VERSION, type RunningProcess } from '../domain/running-process.ts';
import { Catalogue, type Template } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { keys } from '../store/keys.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { detectDrift } from './detect-drift.ts';
import type { Databases } from './interfaces/databases.ts';
import { reconcile } from './reconcile.ts';
import { repairDrift, type RepairDeps } from './repair-drift.ts';

const tiny = template();
const { title, skip } = mariadbSuite('databases that no record names');

const releasers = new Releasers();
let nats: TestNats;
let store: TestStore;
let runtime: SimulatedRuntime;
let deps: RepairDeps;

beforeAll(async () => {
  nats = await TestNats.start();
  releasers.push('NATS', () => nats[Symbol.asyncDispose]());
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  runtime = new SimulatedRuntime();
  releasers.push('runtime', () => runtime.close());
  const { claimStore, cleanupStore, provisioningStore, inventory } = store;
  deps = {
    ...{ claimStore, cleanupStore, provisioningStore, inventory, runtime },
    ...{ networks: undefined, databases: undefined, proxy: undefined },
    queue: (await nats.publisher()).queue,
    log: silent,
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    clock: { now: () => 1_000_000 },
    node: { name: 'node0' },
    requestRefill: () => undefined,
  };
});
afterAll(() => releasers.releaseAll(silent));
beforeEach(() => store.clear());

describe.skipIf(skip)(title, () => {
  let server: TestMariadb;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('are dropped with their users; one that a record names stays, readable or not', async () => {
    const shop = await server.templateOf('CREATE TABLE a (b INT);', { name: 'tiny' });
    const databases = server.databases({ catalogue: [shop] });
    await databases.prepare([shop]);
    const [kept, unreadable, stray] = [newInstanceId(), newInstanceId(), newInstanceId()].map((instanceId) =>
      databases.nameFor(shop, { instanceId, attempt: newAttempt() }),
    );
    for (const name of [kept, unreadable, stray]) await databases.create(name ?? '', shop);
    const [one, two, three] = await fillPool(store, tiny);
    if (one === undefined || two === undefined || three === undefined) throw new Error('the pool was not filled');
    await store.valkey.hset(keys.instances, one.id, JSON.stringify({ ...one, state: 'ready', database: kept }));
    await store.valkey.hset(keys.instances, two.id, JSON.stringify({ ...two, v: 2, database: unreadable }));
    expect(three.database).toBeNull();
    const withDatabases = { ...deps, databases };
    const { findings } = await detectDrift(withDatabases);
    expect(findings.filter(({ kind }) => kind === 'database')).toMatchObject([{ what: stray }]);
    await repairDrift(withDatabases, await detectDrift(withDatabases));
    expect([...(await databases.list())].sort()).toEqual([kept, unreadable].sort());
  });

  const roundWith = (databases: Databases, shop: Template): Promise<unknown> => {
    const { registry, promotions, processes } = store;
    const [fitness, beat] = [{ prepare: () => runtime.prepare() }, () => Promise.resolve()];
    const catalogue = new Catalogue([shop]);
    return reconcile({ ...deps, runtime, databases, catalogue, registry, promotions, processes, fitness, beat });
  };

  it('are dropped while a seed is being loaded, of which the next round says what became of it', async () => {
    const shop = await server.templateOf('CREATE TABLE a (b INT);', { name: 'tiny' });
    const large = await server.templateOf('CREATE TABLE a (b INT);\nDO SLEEP(3600);', { name: 'tiny' });
    const databases = server.databases({ catalogue: [shop, large] });
    const stray = databases.nameFor(shop, { instanceId: newInstanceId(), attempt: newAttempt() });
    await databases.create(stray, shop);
    await roundWith(databases, large);
    expect(await databases.list()).not.toContain(stray);
    await using root = await server.asRoot();
    const cutOff = async (): Promise<void> =>
      eventually(async () => {
        const [loading] = await root.query<{ id: number }[]>(
          "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(3600)'",
        );
        if (loading === undefined) throw new Error('no seed is being loaded');
        await root.query(`KILL ${loading.id}`);
      });
    await cutOff();
    await eventually(() => expect(roundWith(databases, large)).rejects.toThrow(large.database?.seedFile));
    await cutOff();
  });

  it('are kept with the seeds they come from as long as a process that runs offers another version', async () => {
    const [old, changed] = [
      await server.templateOf('CREATE TABLE old (b INT);', { name: 'tiny' }),
      await server.templateOf('CREATE TABLE changed (b INT);', { name: 'tiny' }),
    ];
    const catalogue = new Catalogue([old]);
    const databases = server.databases();
    await databases.prepare([old, changed]);
    await using root = await server.asRoot();
    const isThere = async ({ database }: Template): Promise<boolean> =>
      (await root.query<{ name: string }[]>('SHOW DATABASES')).some((row) =>
        Object.values(row)[0]?.endsWith(database?.seedDigest ?? ''),
      );
    const running = (version: string | undefined): RunningProcess => ({
      ...{ v: RUNNING_PROCESS_VERSION, role: 'worker', version: '1', host: 'other', pid: 1, node: 'node1' },
      ...{ startedAtMs: 0, templates: { tiny: version ?? '' }, leads: [] },
    });
    await store.processes.announce(running(new Catalogue([changed]).version('tiny')));
    await roundWith(databases, old);
    expect([await isThere(old), await isThere(changed)]).toEqual([true, true]);
    await store.processes.announce(running(catalogue.version('tiny')));
    await roundWith(databases, old);
    expect([await isThere(old), await isThere(changed)]).toEqual([true, false]);
  });
});
