import { TryItNowError } from '../../domain/errors.ts';
import { quoted } from './quoted.ts';
import { LOCK_WAIT_TIMEOUT, serverErrorNumber, type Session } from './session.ts';

/** Whether a transaction stands in the way is known at once; sessions that were just killed let go within this. */
const FIRST_TRY_S = 1;
/** The server's word for a transaction that is not prepared, or that a living session still has. */
const NOT_TO_BE_ENDED = 1397;
/** The databases of other deployments fit too: what runs there is an instance's as well. */
const NOT_OF_INSTANCES = `SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA
  WHERE SCHEMA_NAME NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
  AND SCHEMA_NAME NOT RLIKE '^tin_[0-9a-f]{8}_[ist]_'`;

/**
 * A transaction that was prepared (XA) outlives the session of whoever did it, and keeps what it touched: the database
 * could never be dropped. The server does not say whose it is, so all of them are rolled back that no session has any
 * more, once they stand in the way; yet only where nobody but instances has a database.
 */
export async function dropDatabase(session: Session, name: string): Promise<void> {
  const what = `Dropping the database ${name}`;
  const drop = `DROP DATABASE IF EXISTS ${quoted(name)}`;
  if ((await prepared(session)).length === 0) {
    await session.run(what, drop);
    return;
  }
  try {
    await session.run(
      what,
      `SET STATEMENT lock_wait_timeout = ${FIRST_TRY_S}, innodb_lock_wait_timeout = ${FIRST_TRY_S} FOR ${drop}`,
    );
  } catch (error) {
    if (serverErrorNumber(error) !== LOCK_WAIT_TIMEOUT) throw error;
    await requireOnlyInstances(session, name);
    await rollBackAbandoned(session);
    await session.run(what, drop);
  }
}

/** Those that a session still has are left to it. */
async function rollBackAbandoned(session: Session): Promise<number> {
  let ended = 0;
  for (const xid of await prepared(session)) {
    try {
      await session.run('Rolling back a prepared transaction', `XA ROLLBACK ${xid}`);
      ended += 1;
    } catch (error) {
      if (serverErrorNumber(error) !== NOT_TO_BE_ENDED) throw error;
    }
  }
  return ended;
}

/** As XA ROLLBACK takes them. */
async function prepared(session: Session): Promise<string[]> {
  const rows = await session.run('Looking for prepared transactions', "XA RECOVER FORMAT='SQL'");
  return rows.map(({ data }) => String(data));
}

async function requireOnlyInstances(session: Session, name: string): Promise<void> {
  const others = await session.run('Looking for databases of others', NOT_OF_INSTANCES);
  if (others.length === 0) return;
  throw new TryItNowError(
    'database_failed',
    `The database ${name} cannot be dropped: a prepared transaction may hold it, and MariaDB does not say whose it ` +
      `is. The server has databases of others too (${others.map((other) => String(other['name'])).join(', ')}), so ` +
      'none is rolled back for them: look at XA RECOVER, run XA ROLLBACK for what is not theirs, and give the ' +
      'instances a server of their own',
  );
}
