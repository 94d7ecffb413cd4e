import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../../src/composition/app.ts';
import { loadConfig } from '../../src/config/load.ts';
import { DatabaseNames } from '../../src/database/names.ts';
import type { ServerLogin } from '../../src/database/server.ts';
import type { DatabaseEngine } from '../../src/domain/database.ts';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { Template } from '../../src/domain/template.ts';
import type { DatabaseCredentials, Databases } from '../../src/pool/interfaces/databases.ts';
import { writeSeed } from '../support/databases.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite } from '../support/mariadb.ts';
import { OPERATOR_KEY, operatorOf } from '../support/operator.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { postgresSuite } from '../support/postgresql.ts';
import { Program } from '../support/program.ts';
import { LogBook } from '../support/queue.ts';
import {
  CONNECT,
  nodeOf,
  startSharedMariadb,
  startSharedPostgres,
  type NodeOfServer,
  type SharedServer,
} from '../support/shared-databases.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const ENGINES: readonly DatabaseEngine[] = ['mariadb', 'postgresql'];
const NOTES = "CREATE TABLE notes (text VARCHAR(100) NOT NULL);\nINSERT INTO notes VALUES ('welcome');\n";
const SLEEP = { mariadb: 'SELECT SLEEP(50)', postgresql: 'SELECT pg_sleep(50)' } as const;
const ENDED_FOR_TIME = 'A statement of an instance ran for too long';
const RECONCILE_MS = 500;
const skip = mariadbSuite('shared MariaDB').skip || postgresSuite('shared PostgreSQL').skip;

const cleanups = new Cleanups('the shared databases');
let dir: string;
let servers: Readonly<Record<DatabaseEngine, SharedServer>>;
let templates: Readonly<Record<DatabaseEngine, Template>>;
type Ways = Readonly<Record<DatabaseEngine, NodeOfServer>>;
/** Of each node, its way to each of them. */
let nodes: { readonly node0: Ways; readonly node1: Ways };
type Node = keyof typeof nodes;

beforeAll(async () => {
  if (skip) return;
  dir = await ownFolder(cleanups, 'tin-shared-');
  // The servers' accounts pass through it.
  await chmod(dir, 0o711);
  const keep = <T extends AsyncDisposable>(made: T): T => {
    cleanups.push(() => made[Symbol.asyncDispose]());
    return made;
  };
  const [mariadb, postgresql] = await Promise.all([
    startSharedMariadb(join(dir, 'm')).then(keep),
    startSharedPostgres(join(dir, 'p')).then(keep),
  ]);
  servers = { mariadb, postgresql };
  const ways = async (name: Node): Promise<Ways> => ({
    mariadb: keep(await nodeOf(mariadb, join(dir, name))),
    postgresql: keep(await nodeOf(postgresql, join(dir, name))),
  });
  nodes = { node0: await ways('node0'), node1: await ways('node1') };
  const of = async (engine: DatabaseEngine): Promise<Template> =>
    template({
      name: engine,
      database: await writeSeed(dir, engine, NOTES),
      pool: { target: 2, max: 20, replenishThreshold: 0 },
    });
  templates = { mariadb: await of('mariadb'), postgresql: await of('postgresql') };
});
afterAll(() => cleanups[Symbol.asyncDispose]());

describe.skipIf(skip).each(ENGINES)('a shared server of %s', (engine) => {
  const connect = (node: Node, log: LogBook | typeof silent = silent, guards = false): Databases => {
    const databases = nodes[node][engine].connect({
      deployment: 'contract',
      catalogue: { all: () => [templates[engine]] },
      guards,
      sessionBounds: { longestStatementMs: 200 },
      log,
    });
    cleanups.push(() => databases.close());
    return databases;
  };
  const create = async (databases: Databases): Promise<DatabaseCredentials> =>
    databases.create(
      databases.nameFor(templates[engine], { instanceId: newInstanceId(), attempt: newAttempt() }),
      templates[engine],
    );
  const asInstance = (node: Node, { name, user, password }: DatabaseCredentials, sql: string) =>
    servers[engine].ask({ socketPath: nodes[node][engine].login.socketPath, name, user, password }, sql);

  it('gives instances of each node a database through its own socket, and lets any node drop it', async () => {
    const [here, there] = [connect('node0'), connect('node1')];
    await Promise.all([here.prepare([templates[engine]]), there.prepare([templates[engine]])]);
    const [one, other] = await Promise.all([create(here), create(there)]);
    expect(await asInstance('node0', one, 'SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
    await asInstance('node1', other, "INSERT INTO notes VALUES ('mine')");
    expect(await asInstance('node1', other, 'SELECT COUNT(*) AS count FROM notes')).not.toEqual(
      await asInstance('node0', one, 'SELECT COUNT(*) AS count FROM notes'),
    );
    await expect(asInstance('node0', { ...one, name: other.name }, 'SELECT 1')).rejects.toThrow();
    expect(await here.list()).toEqual(expect.arrayContaining([one.name, other.name]));
    expect([...(await there.sizes([other.name])).keys()]).toEqual([other.name]);
    await here.drop(other.name);
    expect(await there.list()).not.toContain(other.name);
    expect(await servers[engine].names()).not.toContain(other.name);
    await expect(asInstance('node1', other, 'SELECT 1')).rejects.toThrow();
  });

  it('has the sessions of all instances looked after by one node, and by another when that one is gone', async () => {
    const [first, second] = [new LogBook(), new LogBook()];
    const [here, there] = [connect('node0', first, true), connect('node1', second, true)];
    const instance = await create(here);
    const endsEarly = (): Promise<void> =>
      expect(asInstance('node1', instance, SLEEP[engine])).rejects.toThrow(/terminat|kill|clos|reset/i);
    await here.prepare([]);
    await endsEarly();
    await there.prepare([]);
    await endsEarly();
    // Whoever ends a session says so afterwards.
    await eventually(() => expect(first.with(ENDED_FOR_TIME)).toHaveLength(2));
    expect(second.with(ENDED_FOR_TIME)).toEqual([]);
    await here.close();
    await endsEarly();
    await eventually(() => expect(second.with(ENDED_FOR_TIME)).toHaveLength(1));
  });

  it('names the server, the relay and what to do when nobody is at the socket', async () => {
    const { login } = nodes.node0[engine];
    const nowhere: ServerLogin = { ...login, socketPath: `${login.socketPath}.1` };

    const databases = CONNECT[engine]({
      ...nowhere,
      deployment: 'contract',
      mountedAt: '/',
      catalogue: { all: () => [] },
      log: silent,
    });
    await expect(databases.list()).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(
        `at 127.0.0.1:${servers[engine].port}, by the relay at ${nowhere.socketPath} .*try-it-now database-relay`,
      ) as unknown,
    });
  });
});

describe.skipIf(skip)('two nodes that share database servers', () => {
  let stack: Stack;
  let valkey: Valkey;
  let further: App;
  let operator: ReturnType<typeof operatorOf>;
  const settings = (node: Node) => ({ ...nodes[node].mariadb.env, ...nodes[node].postgresql.env });
  beforeAll(async () => {
    const offered = [templates.mariadb, templates.postgresql];
    stack = await startStack({
      templates: offered,
      env: { ...settings('node0'), OPERATOR_KEYS: OPERATOR_KEY },
      reconcileIntervalMs: RECONCILE_MS,
    });
    cleanups.push(() => stack[Symbol.asyncDispose]());
    operator = operatorOf(stack);
    valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    cleanups.push(() => valkey.disconnect());
    const ports = await claimPorts(40);
    cleanups.push(() => ports[Symbol.asyncDispose]());
    further = await startApp({
      config: {
        ...stack.config,
        databases: loadConfig(settings('node1')).config.databases,
        node: { name: 'node1', address: '127.0.0.1', labels: [], capacity: undefined, proxies: [] },
        containers: { ...stack.config.containers, portRange: { start: ports.start, end: ports.end } },
      },
      log: silent,
      role: 'worker',
      version: 'test',
      reconcileIntervalMs: RECONCILE_MS,
    });
    cleanups.push(() => further.stop());
  });

  const records = async (): Promise<readonly Instance[]> =>
    Object.values(await valkey.hgetall('instances')).map((text) => JSON.parse(text) as Instance);
  const databasesOf = async (node: string): Promise<string[]> =>
    (await records()).flatMap(({ node: on, database, state }) =>
      on === node && database !== null && state === 'ready' ? [database] : [],
    );
  const present = async (): Promise<readonly string[]> =>
    (await Promise.all(ENGINES.map((engine) => servers[engine].names()))).flat();
  /** Of this deployment's instances; each is a database and a user. */
  const instancesOnServers = async (): Promise<string[]> => {
    const own = ENGINES.map((engine) => new DatabaseNames(engine, stack.config.deployment));
    return [...new Set(await present())].filter((name) => own.some((names) => names.isInstance(name))).sort();
  };
  const fill = async (target: number): Promise<void> => {
    for (const engine of ENGINES) await operator.ask('PUT', `/pools/${engine}/target`, { target });
    await eventually(async () => {
      const pools = await Promise.all(ENGINES.map((engine) => operator.pool(engine)));
      // What a drained node had may be replaced by one more.
      for (const pool of pools) expect(pool['ready']).toBeGreaterThanOrEqual(target);
    });
  };
  /** What is abandoned is dropped in the next round of whichever node is first. */
  const severalRounds = async (): Promise<void> => {
    const here = nodes.node0.mariadb.connect({
      deployment: stack.config.deployment,
      catalogue: { all: () => [] },
      log: silent,
    });
    for (let rounds = 0; rounds < 3; rounds += 1) {
      const name = here.nameFor(templates.mariadb, { instanceId: newInstanceId(), attempt: newAttempt() });
      await here.create(name, templates.mariadb);
      await eventually(async () => expect(await present()).not.toContain(name));
    }
  };

  it('leave each other what they have, and drop what no record of any node names', async () => {
    await fill(6);
    const [here, there] = [await databasesOf('node0'), await databasesOf('node1')];
    expect(here.length).toBeGreaterThan(0);
    expect(there.length).toBeGreaterThan(0);
    await severalRounds();
    expect(await instancesOnServers()).toEqual([...here, ...there].sort());
    expect([await databasesOf('node0'), await databasesOf('node1')]).toEqual([here, there]);
  });

  it('are left alone by clean-demos on one host while workers run', async () => {
    await using program = new Program(['clean-demos', '--dry-run'], { ...environmentOf(stack), ...settings('node0') });
    await program.exitCode;
    for (const title of ['MariaDB', 'PostgreSQL'])
      expect(program.output).toContain(`Databases on the shared ${title} are left`);
    expect(program.output).not.toMatch(/\btin(?:pg)?_/);
  });

  it("a drained node's databases end with its visits", async () => {
    expect(await databasesOf('node1')).not.toEqual([]);
    await operator.ask('POST', '/nodes/node1/drain', { within_seconds: 0 });
    await eventually(async () =>
      expect((await operator.ask('GET', '/nodes/node1')).json).toMatchObject({ state: 'drained' }),
    );
    await fill(6);
    await eventually(async () => expect(await instancesOnServers()).toEqual((await databasesOf('node0')).sort()));
    await operator.ask('POST', '/nodes/node1/uncordon', {});
  });

  it("a lost node's databases are dropped by another once the node is removed, and not before", async () => {
    await fill(12);
    const lost = await databasesOf('node1');
    expect(lost.length).toBeGreaterThan(0);
    await operator.ask('POST', '/nodes/node1/cordon', {});
    await further.stop();
    await severalRounds();
    expect(await instancesOnServers()).toEqual(expect.arrayContaining(lost));
    await valkey.del('heartbeat:node1');
    expect((await operator.ask('DELETE', '/nodes/node1?force=true')).status).toBe(200);
    await fill(12);
    await eventually(async () => expect(await instancesOnServers()).toEqual((await databasesOf('node0')).sort()));
  });
});
