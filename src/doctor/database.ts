import type { Databases } from '../pool/interfaces/databases.ts';
import { ok, type Check } from './check.ts';

/** The server of the instances' databases, where one is configured. */
export function databaseChecks(databases: Pick<Databases, 'prepare' | 'list'>, socketPath: string): Check[] {
  return [
    {
      part: 'MariaDB',
      what: 'usable',
      remedy:
        'Start it (`systemctl start mariadb`), make it safe as said here, or correct DATABASE_SOCKET, ' +
        'DATABASE_USER and DATABASE_PASSWORD.',
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
