import { DATABASE_SERVERS, type DatabaseEngine } from '../domain/database.ts';
import type { Databases } from '../pool/interfaces/databases.ts';
import { requireClient } from '../database/mariadb/sql-file.ts';
import { ok, type Check } from './check.ts';

/** A server of the instances' databases, where one is configured. */
export function databaseChecks(
  engine: DatabaseEngine,
  databases: Pick<Databases, 'prepare' | 'list'>,
  server: {
    readonly socketPath: string;
    readonly shared: { readonly host: string; readonly port: number } | undefined;
  },
): Check[] {
  const { title, socket, url, user, password } = DATABASE_SERVERS[engine];
  const { socketPath, shared } = server;
  return [
    {
      part: title,
      what: 'usable',
      remedy:
        shared === undefined
          ? `Start it (\`systemctl enable --now ${engine}\`), make it safe as said here, or correct ${socket}, ` +
            `${user} and ${password}.`
          : `Start it at ${shared.host}:${shared.port}, or the relay on this host (\`systemctl enable ` +
            `--now try-it-now-database-relay\`), make it safe as said here, or correct ${url}, ${socket}, ${user} ` +
            `and ${password}.`,
      run: async () => {
        await databases.prepare([]);
        const count = (await databases.list()).length;
        return [
          ok(
            'usable',
            shared === undefined
              ? `answers at ${socketPath}, lets nobody in without a password; ${count} databases of instances`
              : `answers at ${shared.host}:${shared.port}, through the relay at ${socketPath} and without ` +
                  `encryption; lets nobody in without a password; ${count} databases of instances, those of other ` +
                  'nodes included',
          ),
        ];
      },
    },
    ...(engine !== 'mariadb'
      ? []
      : [
          {
            part: title,
            what: 'client',
            remedy: 'Install it; until then instances here get databases of seeds alone that another host has loaded.',
            run: async () => {
              await requireClient();
              return [ok('client', 'the program that loads seeds is there')];
            },
          },
        ]),
  ];
}
