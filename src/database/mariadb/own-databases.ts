import { DatabaseNames } from '../names.ts';
import type { ServerLogin } from '../server.ts';
import { dropWithUser } from './accounts.ts';
import { lock, namesOnServer } from './seeds.ts';
import { withSession } from './session.ts';

const LOCK_TIMEOUT_S = 8;

/**
 * Every database and user of the deployment's, its seeds included; by names that fit entirely, so that
 * nobody else's is among them.
 */
export async function ownMariadbDatabases(login: ServerLogin, deployment: string): Promise<readonly string[]> {
  const names = new DatabaseNames('mariadb', deployment);
  return (await withSession(login, namesOnServer)).filter((name) => names.parse(name) !== undefined);
}

/** The database, its user and his connections. Absent is fine. Throws database_unavailable, database_failed. */
export async function dropOwnMariadbDatabase(login: ServerLogin, name: string): Promise<void> {
  await withSession(login, async (session) => {
    await lock(session, name, { password: login.password, timeoutS: LOCK_TIMEOUT_S });
    await dropWithUser(session, name);
  });
}
