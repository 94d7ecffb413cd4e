/** Instances reach the database server through its socket's folder: what else must hold then. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DATABASE_ENGINES, DATABASE_SERVERS, type DatabaseEngine } from '../domain/database.ts';
import type { Template } from '../domain/template.ts';
import { CONTAINER_ENGINES } from '../runtime/engines.ts';
import { quote } from './environment.ts';
import type { Values, VariableName } from './variables.ts';

/** Many programs keep something in these. A folder directly below / is taken for one of them without being named. */
const SHARED_FOLDERS: readonly string[] = [
  '/dev/shm',
  '/run/lock',
  '/run/systemd',
  '/run/user',
  '/usr/local',
  '/var/cache',
  '/var/lib',
  '/var/lib/mysql',
  '/var/lib/postgresql',
  '/var/local',
  '/var/lock',
  '/var/log',
  '/var/mail',
  '/var/opt',
  '/var/run',
  '/var/spool',
  '/var/tmp',
];

/** Whose contents an instance must never see; through an engine's socket it would be root on the host. */
const PRIVATE_PATHS = [...CONTAINER_ENGINES.map(({ socket }) => socket.variable), 'CHECKPOINT_DIR'] as const;

/** What tells a folder of a server's data. */
const DATA_FILES = ['ibdata1', 'PG_VERSION'] as const;

const OPENS_SOCKET = {
  mariadb: {
    setting: 'socket',
    example: '/run/mysqld/mysqld.sock',
    relayed: '/run/try-it-now-database/mariadb/mysqld.sock',
  },
  postgresql: {
    setting: 'unix_socket_directories',
    example: '/run/postgresql/.s.PGSQL.5432',
    relayed: '/run/try-it-now-database/postgresql/.s.PGSQL.5432',
  },
} as const satisfies Record<DatabaseEngine, object>;

export function databaseProblems(
  values: Values,
  broken: ReadonlySet<VariableName>,
  templates: readonly Template[],
): string[] {
  const found = DATABASE_ENGINES.flatMap((engine) => {
    const { socket, url, user, password, title } = DATABASE_SERVERS[engine];
    const path = values[socket];
    const { setting, example, relayed } = OPENS_SOCKET[engine];
    if (path === undefined) return [];
    const problems: string[] = [];
    const first = templates.find(({ database }) => database?.engine === engine);
    if (first !== undefined && values[password] === undefined && !broken.has(password)) {
      problems.push(
        `${password} is not set but the template ${first.name} has a database: its instances reach ` +
          `${socket} and could log in as ${user}; give that user a password and set ${password} ` +
          `or ${password}_FILE`,
      );
    }
    const flaw = folderFlaw(dirname(path), values, broken);
    if (flaw !== undefined) {
      const remedy =
        values[url] === undefined
          ? `have ${title} open its socket in a folder that holds nothing else (its setting \`${setting}\`), such as ` +
            example
          : `choose a folder that holds nothing else, such as that of ${relayed}`;
      problems.push(
        `${socket} is ${quote(path)}, and its whole folder is mounted into instances, but ${flaw}; ${remedy}`,
      );
    }
    return problems;
  });
  return [...unopenedSockets(values, broken), ...found];
}

/** For a server that nodes share, which instances reach by a socket only. */
export function unopenedSockets(
  values: Pick<Values, 'DATABASE_SOCKET' | 'DATABASE_SERVER_URL' | 'POSTGRES_SOCKET' | 'POSTGRES_SERVER_URL'>,
  broken: ReadonlySet<VariableName>,
): string[] {
  return DATABASE_ENGINES.flatMap((engine) => {
    const { socket, url } = DATABASE_SERVERS[engine];
    if (values[url] === undefined || values[socket] !== undefined || broken.has(socket)) return [];
    return [
      `${url} is set but ${socket} is not, through which instances reach that server: set it to where ` +
        `\`try-it-now database-relay\` is to open a socket for them, such as ${OPENS_SOCKET[engine].relayed}`,
    ];
  });
}

function folderFlaw(folder: string, values: Values, broken: ReadonlySet<VariableName>): string | undefined {
  for (const place of new Set([folder, realPath(folder)])) {
    if (dirname(place) === '/' || SHARED_FOLDERS.includes(place)) return `${place} holds what others put there too`;
    if (DATA_FILES.some((file) => existsSync(join(place, file)))) return `${place} holds the data of every database`;
    const inside = PRIVATE_PATHS.find(
      (name) => !broken.has(name) && [values[name], realPath(values[name])].some((path) => isWithin(path, place)),
    );
    if (inside !== undefined) return `${inside} (${quote(values[inside])}) is inside it`;
  }
  return undefined;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** The path itself where nothing is yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
