import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createConnection } from 'mariadb';
import { Client } from 'pg';
import { connectMariadb } from '../../src/database/mariadb/mariadb-databases.ts';
import { connectPostgres } from '../../src/database/postgresql/postgres-databases.ts';
import { startRelay } from '../../src/database/relay.ts';
import type { DatabaseOptions, ServerLogin } from '../../src/database/server.ts';
import { DATABASE_SERVERS, type DatabaseEngine } from '../../src/domain/database.ts';
import { launchMariadb } from '../../src/launcher/mariadb.ts';
import { launchPostgres } from '../../src/launcher/postgresql.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import type { Databases } from '../../src/pool/interfaces/databases.ts';
import { silent } from './store.ts';

type Rows = readonly Readonly<Record<string, unknown>>[];

/** A database server that several nodes share, over the network. */
export interface SharedServer extends AsyncDisposable {
  readonly engine: DatabaseEngine;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** One statement, through this socket. */
  ask(
    login: { readonly socketPath: string; readonly user: string; readonly password: string; readonly name: string },
    sql: string,
  ): Promise<Rows>;
  /** Every database and every user, whoever's. */
  names(): Promise<readonly string[]>;
}

const HOST = '127.0.0.1';
/** The first characters of a name tell the engine, so the name of the socket has to as well. */
export const SOCKET = { mariadb: 'mysqld.sock', postgresql: '.s.PGSQL.5432' } as const;
export const CONNECT = { mariadb: connectMariadb, postgresql: connectPostgres } as const;

export async function startSharedMariadb(dir: string, host = HOST): Promise<SharedServer> {
  const port = await freePort();
  const launched = await launchMariadb({
    dir,
    settings: ['--skip-networking=0', `--bind-address=${host}`, `--port=${port}`],
  });
  const { socketPath, user: root, password } = launched;
  const user = 'try-it-now';
  const ask: SharedServer['ask'] = async ({ name, ...login }, sql) => {
    await using connection = await createConnection({ ...login, database: name, connectTimeout: 60_000 });
    connection.on('error', () => undefined);
    return await connection.query<Rows>(sql);
  };
  const asRoot = (sql: string): Promise<Rows> => ask({ socketPath, user: root, password, name: 'mysql' }, sql);
  await asRoot(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`);
  await asRoot(`GRANT ALL ON *.* TO '${user}'@'%' WITH GRANT OPTION`);
  return {
    engine: 'mariadb',
    host,
    port,
    user,
    password,
    ask,
    names: async () =>
      (await asRoot('SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA UNION SELECT User FROM user')).map(
        ({ name }) => String(name),
      ),
    [Symbol.asyncDispose]: () => launched[Symbol.asyncDispose](),
  };
}

export async function startSharedPostgres(dir: string, host = HOST): Promise<SharedServer> {
  const port = await freePort();
  const rules = join(dir, 'rules-for-all-hosts.conf');
  await mkdir(dir);
  await writeFile(rules, 'local all all scram-sha-256\nhost all all samenet scram-sha-256\n', { mode: 0o644 });
  const launched = await launchPostgres({
    dir,
    settings: [`listen_addresses=${host}`, `port=${port}`, `hba_file=${rules}`],
  });
  const { user, password, socketPath } = launched;
  const own = join(dirname(socketPath), `.s.PGSQL.${port}`);
  const ask: SharedServer['ask'] = async ({ socketPath: path, name, ...login }, sql) => {
    const client = new Client({
      ...login,
      host: dirname(path),
      port: Number(basename(path).split('.').at(-1)),
      database: name,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows as Rows;
    } finally {
      await client.end();
    }
  };
  return {
    engine: 'postgresql',
    host,
    port,
    user,
    password,
    ask,
    names: async () =>
      (
        await ask(
          { socketPath: own, user, password, name: 'postgres' },
          'SELECT datname AS name FROM pg_database UNION SELECT rolname FROM pg_roles',
        )
      ).map(({ name }) => String(name)),
    [Symbol.asyncDispose]: () => launched[Symbol.asyncDispose](),
  };
}

/** A node's way to the server: what it needs to log in through its relay. */
export interface WayToServer {
  readonly login: ServerLogin;
  /** As a node's settings say it. */
  readonly env: Readonly<Record<string, string>>;
  connect(options: Omit<DatabaseOptions, Exclude<keyof ServerLogin, 'patience'> | 'mountedAt'>): Databases;
}

export interface NodeOfServer extends WayToServer, AsyncDisposable {}

export function wayThrough(socketPath: string, { engine, host, port, user, password }: SharedServer): WayToServer {
  const names = DATABASE_SERVERS[engine];
  const login = { socketPath, shared: { host, port }, user, password };
  return {
    login,
    env: {
      [names.socket]: socketPath,
      [names.url]: `${engine}://${host}:${port}`,
      [names.user]: user,
      [names.password]: password,
    },
    connect: (options) => CONNECT[engine]({ ...options, ...login, mountedAt: dirname(socketPath) }),
  };
}

/** `folder` is the node's own. */
export async function nodeOf(server: SharedServer, folder: string): Promise<NodeOfServer> {
  const { engine, host, port } = server;
  const socketPath = join(folder, engine, SOCKET[engine]);
  const { title } = DATABASE_SERVERS[engine];
  const relay = await startRelay({ title, socketPath, server: { host, port }, log: silent });
  return { ...wayThrough(socketPath, server), [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose]() };
}
