import { DATABASE_SERVERS, type DatabaseEngine } from '../domain/database.ts';
import type { Databases } from '../pool/interfaces/databases.ts';
import { ok, type Check } from './check.ts';

/** A server of the instances' databases, where one is configured. */
export function databaseChecks(
  engine: DatabaseEngine,
  databases: Pick<Databases, 'prepare' | 'list'>,
  socketPath: string,
): Check[] {
  const { title, socket, user, password } = DATABASE_SERVERS[engine];
  return [
    {
      part: title,
      what: 'usable',
      remedy:
        `Start it (\`systemctl start ${engine}\`), make it safe as said here, or correct ${socket}, ` +
        `${user} and ${password}.`,
      run: async () => {
        await databases.prepare([]);
        return [
          ok(
            'usable',
            `answers at ${socketPath}, lets nobody in without a password; ${(await databases.list()).length} ` +
              'databases of instances',
          ),
        ];
      },
    },
  ];
}
