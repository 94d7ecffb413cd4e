import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Client } from 'pg';
import { connectPostgres } from '../../src/database/postgresql/postgres-databases.ts';
import type { ServerPatience, SessionBounds } from '../../src/database/server.ts';
import { DATABASE_MOUNT, type Template } from '../../src/domain/template.ts';
import { launchPostgres, type LaunchedPostgres } from '../../src/launcher/postgresql.ts';
import type { DatabaseCredentials, Databases } from '../../src/pool/interfaces/databases.ts';
import { databaseSuite, writeSeed } from './databases.ts';
import { silent } from './store.ts';
import { template } from './templates.ts';

export function postgresSuite(title: string): { readonly title: string; readonly skip: boolean } {
  // Debian keeps the server's programs off the PATH.
  return databaseSuite(title, existsSync('/usr/lib/postgresql') ? [] : ['postgres']);
}

export interface TestPostgres extends AsyncDisposable {
  readonly dir: string;
  /** The one running now: a restart puts another in its place. */
  readonly launched: LaunchedPostgres;
  restart(): Promise<void>;
  databases(options?: {
    readonly deployment?: string;
    readonly catalogue?: readonly Template[];
    readonly clock?: { now(): number };
    readonly patience?: ServerPatience;
    readonly password?: string;
    readonly guards?: boolean;
    readonly sessionBounds?: Partial<SessionBounds>;
  }): Databases;
  /** A template whose database is filled from this SQL. */
  templateOf(sql: string, overrides?: Partial<Template>): Promise<Template>;
  /** A connection as the server's superuser. */
  asRoot(database?: string): Promise<TestClient>;
  /** A connection as an instance makes it. */
  as(credentials: DatabaseCredentials): Promise<TestClient>;
}

interface TestClient extends AsyncDisposable {
  /** The rows of the last statement. */
  query(sql: string): Promise<Record<string, unknown>[]>;
}

/** A PostgreSQL of the test's own. */
export async function startPostgres(): Promise<TestPostgres> {
  const dir = await mkdtemp(join(tmpdir(), 'tin-postgresql-'));
  let launched: LaunchedPostgres;
  try {
    launched = await launchPostgres({ dir });
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
      launched = await launchPostgres({ dir });
    },
    databases: ({
      deployment = 'contract',
      catalogue = [],
      clock,
      patience,
      password = launched.password,
      guards = false,
      sessionBounds,
    } = {}) => {
      const { socketPath, user } = launched;
      return connectPostgres({
        socketPath,
        user,
        password,
        deployment,
        mountedAt: DATABASE_MOUNT,
        catalogue: { all: () => catalogue },
        guards,
        sessionBounds,
        log: silent,
        ...(clock === undefined ? {} : { clock }),
        ...(patience === undefined ? {} : { patience }),
      });
    },
    templateOf: async (sql, overrides = {}) =>
      template({ database: await writeSeed(dir, 'postgresql', sql), ...overrides }),
    asRoot: (database = 'postgres') => open({ ...launched, database }),
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
  readonly database: string;
}): Promise<TestClient> {
  const { socketPath, user, password, database } = login;
  const client = new Client({ host: dirname(socketPath), user, password, database, connectionTimeoutMillis: 60_000 });
  client.on('error', () => undefined);
  await client.connect();
  return {
    query: async (sql) => {
      const answer: unknown = await client.query(sql);
      const last: unknown = Array.isArray(answer) ? answer.at(-1) : answer;
      return (last as { readonly rows: Record<string, unknown>[] }).rows;
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
