import { DatabaseNames } from '../names.ts';
import type { ServerLogin } from '../server.ts';
import { dropWithRole } from './roles.ts';
import { lock, namesOnServer } from './seeds.ts';
import { withSession } from './session.ts';

/**
 * Every database and role of the deployment's, its seeds included; by names that fit entirely, so that
 * nobody else's is among them.
 */
export async function ownPostgresDatabases(login: ServerLogin, deployment: string): Promise<readonly string[]> {
  const names = new DatabaseNames('postgresql', deployment);
  return (await withSession(login, namesOnServer)).filter((name) => names.parse(name) !== undefined);
}

/** The database, its role and all connections. Absent is fine. Throws database_unavailable, database_failed. */
export async function dropOwnPostgresDatabase(login: ServerLogin, name: string): Promise<void> {
  await withSession(login, async (session) => {
    await lock(session, name);
    await dropWithRole(session, name, login);
  });
}
