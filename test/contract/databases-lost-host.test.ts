import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lock as lockMariadb } from '../../src/database/mariadb/seeds.ts';
import { withSession as withMariadb } from '../../src/database/mariadb/session.ts';
import { lock as lockPostgres } from '../../src/database/postgresql/seeds.ts';
import { withSession as withPostgres } from '../../src/database/postgresql/session.ts';
import { SERVER_PATIENCE, type ServerLogin } from '../../src/database/server.ts';
import type { DatabaseEngine } from '../../src/domain/database.ts';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import type { Databases } from '../../src/pool/interfaces/databases.ts';
import { writeSeed } from '../support/databases.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { distantHost, type DistantHost } from '../support/distant-host.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite } from '../support/mariadb.ts';
import { postgresSuite } from '../support/postgresql.ts';
import { LogBook } from '../support/queue.ts';
import {
  nodeOf,
  startSharedMariadb,
  startSharedPostgres,
  wayThrough,
  type NodeOfServer,
  type SharedServer,
  type WayToServer,
} from '../support/shared-databases.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const ENGINES: readonly DatabaseEngine[] = ['mariadb', 'postgresql'];
const SILENCE_S = 3;
const patience = { ...SERVER_PATIENCE, silenceS: SILENCE_S };

interface OpenSession {
  readonly run: (sql: string) => Promise<unknown>;
  readonly lock: (name: string) => Promise<void>;
}

interface Part {
  readonly start: (dir: string, host: string) => Promise<SharedServer>;
  readonly within: (login: ServerLogin, use: (session: OpenSession) => Promise<void>) => Promise<void>;
  /** For whoever logs in from now on. */
  readonly setDelay: (seconds: number) => string;
  /** Takes so long. */
  readonly delay: string;
  /** Which sessions are at that. */
  readonly delayed: string;
}

const PARTS: Readonly<Record<DatabaseEngine, Part>> = {
  mariadb: {
    start: startSharedMariadb,
    within: (login, use) =>
      withMariadb(login, (session) =>
        use({
          run: (sql) => session.run('', sql),
          lock: (name) => lockMariadb(session, name, { password: login.password, timeoutS: 1 }),
        }),
      ),
    // A number that nothing here needs.
    setDelay: (seconds) => `SET GLOBAL slow_launch_time = ${seconds}`,
    delay: 'SELECT SLEEP(@@slow_launch_time)',
    delayed: "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
  },
  postgresql: {
    start: startSharedPostgres,
    within: (login, use) =>
      withPostgres(login, (session) =>
        use({ run: (sql) => session.run('', sql), lock: (name) => lockPostgres(session, name) }),
      ),
    setDelay: (seconds) => `ALTER ROLE ALL SET test.delay = '${seconds}'`,
    delay: "SELECT pg_sleep(current_setting('test.delay')::int)",
    delayed: "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
  },
};

const skip = mariadbSuite('hosts that share MariaDB').skip || postgresSuite('hosts that share PostgreSQL').skip;

describe.skipIf(skip).each(ENGINES)('hosts that share a server of %s', (engine) => {
  const part = PARTS[engine];
  const cleanups = new Cleanups('the hosts that share a server');
  let dir: string;
  let far: DistantHost;
  let server: SharedServer;
  let lost: WayToServer;
  let other: NodeOfServer;
  const end = new AbortController();
  beforeAll(async () => {
    dir = await ownFolder(cleanups, 'tin-lost-');
    await chmod(dir, 0o711);
    const keep = <T extends AsyncDisposable>(made: T): T => {
      cleanups.push(() => made[Symbol.asyncDispose]());
      return made;
    };
    far = keep(await distantHost());
    server = keep(await part.start(join(dir, 's'), far.serverAddress));
    lost = wayThrough(await far.relay(engine, server.port, join(dir, 'lost')), server);
    other = keep(await nodeOf(server, join(dir, 'other')));
  });
  afterAll(async () => {
    end.abort();
    await cleanups[Symbol.asyncDispose]();
  });

  const connect = (way: WayToServer, log: LogBook | typeof silent = silent): Databases =>
    way.connect({ deployment: 'contract', catalogue: { all: () => [] }, patience, log });
  const slowToLoad = async (table: string): Promise<Template> =>
    template({ database: await writeSeed(dir, engine, `CREATE TABLE ${table} (text CHAR(9));\n${part.delay};\n`) });
  const newName = (of: Template): string =>
    connect(other).nameFor(of, { instanceId: newInstanceId(), attempt: newAttempt() });
  const setDelay = (seconds: number): Promise<void> =>
    part.within(other.login, async ({ run }) => void (await run(part.setDelay(seconds))));
  /** A session of the lost one has the lock, and says nothing more. */
  const holdLock = (name: string): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      const session = part.within({ ...lost.login, patience }, async ({ lock }) => {
        await lock(name);
        resolve();
        await once(end.signal, 'abort');
      });
      session.catch(reject);
    });

  it('a load that takes longer than a session may be silent is done once, and others wait for it', async () => {
    const log = new LogBook();
    await setDelay(2 * SILENCE_S);
    const slow = await slowToLoad('notes');
    const hosts = [connect(lost, log), connect(other, log)];
    await Promise.all(hosts.map((host) => host.prepare([slow])));
    expect(log.with('Loaded a seed')).toHaveLength(1);
    for (const host of hosts) await host.create(newName(slow), slow);
  });

  it('what one was at when its power was cut is done by another', { timeout: 60_000 }, async () => {
    await setDelay(600);
    const seeded = await slowToLoad('texts');
    const name = newName(seeded);
    await holdLock(name);
    void connect(lost)
      .prepare([seeded])
      .catch(() => undefined);
    await part.within(other.login, async ({ run }) =>
      eventually(async () => expect(await run(part.delayed)).toHaveLength(1)),
    );
    await far.cutPower();
    await setDelay(0);
    await connect(other).prepare([seeded]);
    await eventually(() => connect(other).drop(name));
    await connect(other).create(name, seeded);
  });
});
