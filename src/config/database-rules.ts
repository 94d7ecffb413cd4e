/** Instances reach the database server through its socket's folder: what else must hold then. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

export function databaseProblems(
  values: Values,
  broken: ReadonlySet<VariableName>,
  templates: readonly Template[],
): string[] {
  const { DATABASE_SOCKET: socket, DATABASE_PASSWORD: password } = values;
  if (socket === undefined) return [];
  const problems: string[] = [];
  const first = templates.find((template) => template.database !== undefined);
  if (first !== undefined && password === undefined && !broken.has('DATABASE_PASSWORD')) {
    problems.push(
      `DATABASE_PASSWORD is not set but the template ${first.name} has a database: its instances reach ` +
        'DATABASE_SOCKET and could log in as DATABASE_USER; give that user a password and set DATABASE_PASSWORD ' +
        'or DATABASE_PASSWORD_FILE',
    );
  }
  const flaw = folderFlaw(dirname(socket), values, broken);
  if (flaw !== undefined) {
    problems.push(
      `DATABASE_SOCKET is ${quote(socket)}, and its whole folder is mounted into instances, but ${flaw}; have ` +
        `MariaDB open its socket in a folder that holds nothing else (its setting \`socket\`), such as ` +
        '/run/mysqld/mysqld.sock',
    );
  }
  return problems;
}

function folderFlaw(folder: string, values: Values, broken: ReadonlySet<VariableName>): string | undefined {
  for (const place of new Set([folder, realPath(folder)])) {
    if (dirname(place) === '/' || SHARED_FOLDERS.includes(place)) return `${place} holds what others put there too`;
    if (existsSync(join(place, 'ibdata1'))) return `${place} holds the data of every database`;
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
