import { randomBytes } from 'node:crypto';
import { TryItNowError } from '../../domain/errors.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { ServerLogin } from '../server.ts';
import { literal, quoted } from './quoted.ts';
import { scramVerifier } from './scram.ts';
import { withSession, type Session } from './session.ts';

/** Enough for a web app's workers; bounds what one instance can take of the server's max_connections. */
export const MAX_ROLE_CONNECTIONS = 20;
/** What a role starts its sessions with: a query of a visitor's app that runs longer has gone astray. */
const STATEMENT_TIMEOUT = '60s';
/** Only a superuser can change it: a sort without end does not fill the disk. */
const TEMP_FILE_LIMIT = '512MB';

const GONE_WITHIN_MS = 5_000;

/**
 * A role that may use the database of its name and nothing else: without that, no database lets it in. It owns what is
 * in the database and not the database itself, whose owner could let others in.
 */
export async function createRole(
  session: Session,
  name: string,
  password: string,
  limits: 'limited' | 'unlimited' = 'limited',
): Promise<void> {
  const verifier = await scramVerifier(password, randomBytes(16));
  const most = limits === 'limited' ? MAX_ROLE_CONNECTIONS : -1;
  await session.run(
    `Creating the role ${name}`,
    `CREATE ROLE ${quoted(name)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS ` +
      `CONNECTION LIMIT ${most} PASSWORD ${literal(verifier)}`,
  );
  if (limits === 'limited') {
    await session.run(
      `Limiting the role ${name}`,
      `ALTER ROLE ${quoted(name)} SET statement_timeout = '${STATEMENT_TIMEOUT}'; ` +
        `ALTER ROLE ${quoted(name)} SET temp_file_limit = '${TEMP_FILE_LIMIT}'`,
    );
  }
  await session.run(
    `Giving the role ${name} its rights`,
    `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${quoted(name)} TO ${quoted(name)}`,
  );
}

/** A copy of the template, closed until `openDatabase`: a new database lets everybody in otherwise. */
export async function createDatabase(session: Session, name: string, template: string, settings = ''): Promise<void> {
  await session.run(
    `Creating the database ${name}`,
    `CREATE DATABASE ${quoted(name)} TEMPLATE ${quoted(template)} ${settings} ALLOW_CONNECTIONS false`,
  );
  await session.run(`Closing the database ${name}`, `REVOKE ALL ON DATABASE ${quoted(name)} FROM PUBLIC`);
}

export async function openDatabase(session: Session, name: string): Promise<void> {
  await session.run(`Opening the database ${name}`, `ALTER DATABASE ${quoted(name)} ALLOW_CONNECTIONS true`);
}

/**
 * Nobody logs in again first; then the database goes with its connections, then the role; then all of it is seen to be
 * gone.
 */
export async function dropWithRole(session: Session, name: string, login: ServerLogin): Promise<void> {
  if ((await whatIsLeft(session, name)) === '') return;
  if (await exists(session, 'SELECT 1 FROM pg_roles WHERE rolname = $1', name))
    await session.run(`Locking the role ${name}`, `ALTER ROLE ${quoted(name)} NOLOGIN`);
  if (await exists(session, 'SELECT 1 FROM pg_database WHERE datname = $1', name)) {
    await session.run(`Releasing the database ${name}`, `ALTER DATABASE ${quoted(name)} IS_TEMPLATE false`);
    await rollBackPrepared(session, name, login);
    await session.run(`Dropping the database ${name}`, `DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`);
  }
  await session.run(`Dropping the role ${name}`, `DROP ROLE IF EXISTS ${quoted(name)}`);
  const deadline = performance.now() + GONE_WITHIN_MS;
  for (let left = await whatIsLeft(session, name); left !== ''; left = await whatIsLeft(session, name)) {
    if (performance.now() > deadline)
      throw new TryItNowError(
        'database_failed',
        `The database ${name} was dropped, yet after ${GONE_WITHIN_MS} ms there is still ${left}; it will be ` +
          'tried again',
      );
    await sleep(20);
  }
}

/** A transaction that was prepared and never ended keeps its database, and only ends from within it. */
async function rollBackPrepared(session: Session, name: string, login: ServerLogin): Promise<void> {
  const what = `Ending the prepared transactions of ${name}`;
  const prepared = await session.run(what, 'SELECT gid FROM pg_prepared_xacts WHERE database = $1', [name]);
  if (prepared.length === 0) return;
  const within = async (inside: Session): Promise<void> => {
    for (const { gid } of prepared) await inside.run(what, `ROLLBACK PREPARED ${literal(String(gid))}`);
  };
  await withSession(login, within, { database: name });
}

async function exists(session: Session, sql: string, name: string): Promise<boolean> {
  return (await session.run(`Looking for ${name}`, sql, [name])).length > 0;
}

async function whatIsLeft(session: Session, name: string): Promise<string> {
  const sql = `SELECT 'its database' AS what FROM pg_database WHERE datname = $1
    UNION ALL SELECT 'its role' FROM pg_roles WHERE rolname = $1
    UNION ALL SELECT 'a connection to it' FROM pg_stat_activity WHERE datname = $1 OR usename = $1`;
  const rows = await session.run(`Checking that ${name} is gone`, sql, [name]);
  return [...new Set(rows.map(({ what }) => String(what)))].join(' and ');
}
