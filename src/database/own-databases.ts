import { dropWithUser } from './accounts.ts';
import { DatabaseNames } from './names.ts';
import { lock, namesOnServer } from './seeds.ts';
import { withSession, type ServerLogin } from './session.ts';

const LOCK_TIMEOUT_S = 8;

/**
 * Every database and user of the deployment's, its seeds included; by names that fit entirely, so that
 * nobody else's is among them.
 */
export async function ownDatabases(login: ServerLogin, deployment: string): Promise<readonly string[]> {
  const names = new DatabaseNames(deployment);
  return (await withSession(login, namesOnServer)).filter((name) => names.parse(name) !== undefined);
}

/** The database, its user and his connections. Absent is fine. Throws database_unavailable, database_failed. */
export async function dropOwnDatabase(login: ServerLogin, name: string): Promise<void> {
  await withSession(login, async (session) => {
    await lock(session, name, LOCK_TIMEOUT_S);
    await dropWithUser(session, name);
  });
}
