import { DATABASE_ENGINES, type DatabaseEngine } from '../domain/database.ts';
import { dropOwnMariadbDatabase, ownMariadbDatabases } from './mariadb/own-databases.ts';
import { dropOwnPostgresDatabase, ownPostgresDatabases } from './postgresql/own-databases.ts';
import type { ServerLogin } from './server.ts';

/** How to find and drop what a deployment has on a server of each engine. */
const ENGINES: Readonly<
  Record<
    DatabaseEngine,
    {
      readonly list: (login: ServerLogin, deployment: string) => Promise<readonly string[]>;
      readonly drop: (login: ServerLogin, name: string) => Promise<void>;
    }
  >
> = {
  mariadb: { list: ownMariadbDatabases, drop: dropOwnMariadbDatabase },
  postgresql: { list: ownPostgresDatabases, drop: dropOwnPostgresDatabase },
};

/**
 * Every database of the deployment's on these servers, its seeds included, and how to drop it with its user. Throws
 * database_unavailable, database_failed.
 */
export async function ownDatabases(
  servers: Readonly<Partial<Record<DatabaseEngine, ServerLogin>>>,
  deployment: string,
): Promise<readonly { readonly name: string; readonly drop: () => Promise<void> }[]> {
  const found = DATABASE_ENGINES.map(async (engine) => {
    const login = servers[engine];
    if (login === undefined) return [];
    const { list, drop } = ENGINES[engine];
    return (await list(login, deployment)).map((name) => ({ name, drop: () => drop(login, name) }));
  });
  return (await Promise.all(found)).flat();
}
