import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createConnection, type Connection } from 'mariadb';
import { connectMariadb } from '../../src/database/mariadb/mariadb-databases.ts';
import type { ServerPatience, SessionBounds } from '../../src/database/server.ts';
import type { Log } from '../../src/domain/log.ts';
import { DATABASE_MOUNT, type Template } from '../../src/domain/template.ts';
import { launchMariadb, type LaunchedMariadb } from '../../src/launcher/mariadb.ts';
import type { DatabaseCredentials, Databases } from '../../src/pool/interfaces/databases.ts';
import { databaseSuite, writeSeed } from './databases.ts';
import { silent } from './store.ts';
import { template } from './templates.ts';

export function mariadbSuite(title: string): { readonly title: string; readonly skip: boolean } {
  return databaseSuite(title, ['mariadbd', 'mariadb']);
}

export interface TestMariadb extends AsyncDisposable {
  readonly dir: string;
  /** The one running now: a restart puts another in its place. */
  readonly launched: LaunchedMariadb;
  restart(): Promise<void>;
  databases(options?: {
    readonly deployment?: string;
    readonly catalogue?: readonly Template[];
    readonly clock?: { now(): number };
    readonly patience?: ServerPatience;
    readonly sessionBounds?: Partial<SessionBounds>;
    readonly log?: Log;
  }): Databases;
  /** A template whose database is filled from this SQL. */
  templateOf(sql: string, overrides?: Partial<Template>): Promise<Template>;
  /** A connection as the server's root. */
  asRoot(): Promise<Connection>;
  /** A connection as an instance makes it. */
  as(credentials: DatabaseCredentials): Promise<Connection>;
}

/** A MariaDB of the test's own. */
export async function startMariadb(): Promise<TestMariadb> {
  const dir = await mkdtemp(join(tmpdir(), 'tin-mariadb-'));
  let launched: LaunchedMariadb;
  try {
    launched = await launchMariadb({ dir });
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
  return {
    dir,
    get launched() {
      return launched;
    },
    restart: async () => {
      launched = await launchMariadb({ dir });
    },
    databases: ({ deployment = 'contract', catalogue = [], clock, patience, sessionBounds, log = silent } = {}) => {
      const { socketPath, user, password } = launched;
      return connectMariadb({
        socketPath,
        user,
        password,
        deployment,
        mountedAt: DATABASE_MOUNT,
        catalogue: { all: () => catalogue },
        guards: sessionBounds !== undefined,
        sessionBounds,
        log,
        ...(clock === undefined ? {} : { clock }),
        ...(patience === undefined ? {} : { patience }),
      });
    },
    templateOf: async (sql, overrides = {}) =>
      template({ database: await writeSeed(dir, 'mariadb', sql), ...overrides }),
    asRoot: () => open({ socketPath: launched.socketPath, user: launched.user, password: launched.password }),
    as: ({ socket, name, user, password }) =>
      open({ socketPath: join(dirname(launched.socketPath), basename(socket)), user, password, database: name }),
    [Symbol.asyncDispose]: async () => {
      launched.server.signal('SIGCONT');
      await launched[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function open(login: {
  readonly socketPath: string;
  readonly user: string;
  readonly password: string;
  readonly database?: string;
}): Promise<Connection> {
  const connection = await createConnection({
    ...login,
    connectTimeout: 60_000,
    bigIntAsNumber: true,
    dateStrings: true,
  });
  connection.on('error', () => undefined);
  return connection;
}
