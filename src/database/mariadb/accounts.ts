import { TryItNowError } from '../../domain/errors.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { dropDatabase } from './drop-database.ts';
import { quoted, quotedForGrant } from './quoted.ts';
import type { Session } from './session.ts';

/** Enough for a web app's workers; bounds what one instance can take of the server's max_connections. */
export const MAX_USER_CONNECTIONS = 20;
/** A query of a visitor's app that runs longer has gone astray. */
const MAX_STATEMENT_TIME_S = 60;

const GONE_WITHIN_MS = 5_000;

/**
 * A user of the clients' host only, who may do what he likes in the database of his name and nothing anywhere else. A
 * database name in GRANT is a pattern, so it is escaped.
 */
export async function createUser(
  session: Session,
  name: string,
  password: string,
  limits: 'limited' | 'unlimited' = 'limited',
): Promise<void> {
  const within =
    limits === 'limited'
      ? ` WITH MAX_USER_CONNECTIONS ${MAX_USER_CONNECTIONS} MAX_STATEMENT_TIME ${MAX_STATEMENT_TIME_S}`
      : '';
  const account = accountOf(session, name);
  await session.run(`Creating the user ${name}`, `CREATE USER ${account} IDENTIFIED BY ?${within}`, [password]);
  await session.run(
    `Giving the user ${name} its rights`,
    `GRANT ALL PRIVILEGES ON ${quotedForGrant(name)}.* TO ${account}`,
  );
}

/** His open connections stay. */
export async function dropUser(session: Session, name: string): Promise<void> {
  await session.run(`Dropping the user ${name}`, `DROP USER IF EXISTS ${accountOf(session, name)}`);
}

/**
 * User first, so that nobody connects again; then his connections, then the database; then all three
 * are seen to be gone.
 */
export async function dropWithUser(session: Session, name: string): Promise<void> {
  await dropUser(session, name);
  await session.run(`Ending the connections of ${name}`, `KILL USER ${quoted(name)}`);
  await dropDatabase(session, name);
  const deadline = performance.now() + GONE_WITHIN_MS;
  for (let left = await whatIsLeft(session, name); left !== ''; left = await whatIsLeft(session, name)) {
    if (performance.now() > deadline)
      throw new TryItNowError(
        'database_failed',
        `The database ${name} was dropped, yet after ${GONE_WITHIN_MS} ms there is still ${left}; it will be ` +
          'tried again',
      );
    await sleep(20);
    await session.run(`Ending the connections of ${name}`, `KILL USER ${quoted(name)}`);
  }
}

async function whatIsLeft(session: Session, name: string): Promise<string> {
  const sql = `SELECT 'its database' AS what FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?
    UNION ALL SELECT 'its user' FROM mysql.global_priv WHERE User = ? AND Host = ?
    UNION ALL SELECT 'a connection of its user' FROM information_schema.PROCESSLIST WHERE USER = ?`;
  const rows = await session.run(`Checking that ${name} is gone`, sql, [name, name, session.clientHost, name]);
  return [...new Set(rows.map(({ what }) => String(what)))].join(' and ');
}

function accountOf({ clientHost }: Session, name: string): string {
  return `${quoted(name)}@'${clientHost}'`;
}
