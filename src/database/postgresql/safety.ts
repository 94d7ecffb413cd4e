import { TryItNowError } from '../../domain/errors.ts';
import { placeOf, type ServerLogin } from '../server.ts';
import type { Session } from './session.ts';

/** 13.0, as the server counts: DROP DATABASE … WITH (FORCE). */
const OLDEST = 130_000;

/** Those that ask for a password, or let nobody in. */
const LOGINS_BY_PASSWORD: readonly unknown[] = ['scram-sha-256', 'md5', 'reject'];

/** Throws database_failed for a server that is too old, and for a user who cannot do what is asked of him. */
export async function requirePostgres(session: Session): Promise<void> {
  const [row] = await session.run(
    "Asking for the server's version",
    "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, " +
      'current_user AS who, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS able',
  );
  if (Number(row?.['number']) < OLDEST)
    throw new TryItNowError(
      'database_failed',
      `The server at POSTGRES_SOCKET is PostgreSQL ${String(row?.['version'])}, but 13 or newer is needed; run one ` +
        'and set POSTGRES_SOCKET',
    );
  if (row?.['able'] !== true)
    throw new TryItNowError(
      'database_failed',
      `${String(row?.['who'])} is no superuser of PostgreSQL, so it can neither read the rules for logins nor make ` +
        'databases for others: ALTER ROLE … SUPERUSER, or set POSTGRES_USER to one who is',
    );
}

/**
 * Instances reach the server's socket, so nobody may be let in there without a password, and nobody into a database
 * that is not his. Throws database_unsafe.
 */
export async function requireSafe(session: Session, login: ServerLogin): Promise<void> {
  const problems = [...(await loginProblems(session, login)), ...(await databaseProblems(session))];
  if (problems.length === 0) return;
  throw new TryItNowError(
    'database_unsafe',
    `PostgreSQL at ${placeOf(login)} is not safe to let instances near: ${problems.join('. ')}`,
    { details: { problems } },
  );
}

/**
 * The login by the socket's peer is the worst: it asks for the uid at the other end, and a container's processes have
 * uids of the host.
 */
async function loginProblems(session: Session, { shared }: ServerLogin): Promise<string[]> {
  const rules = await session.run(
    'Reading the rules for logins',
    "SELECT line_number AS line, auth_method AS method, error, current_setting('hba_file') AS file FROM " +
      `pg_hba_file_rules WHERE type ${shared === undefined ? '=' : '<>'} 'local' OR error IS NOT NULL`,
  );
  // In whole seconds: a change within the second in which the server read the file is not told from none.
  const [changed] = await session.run(
    'Asking when the rules for logins were read',
    "SELECT 1 FROM pg_stat_file(current_setting('hba_file')) WHERE modification > pg_conf_load_time()",
  );
  const problems = rules.flatMap(({ line, method, error, file }) => {
    if (typeof error === 'string') return [`line ${String(line)} of ${String(file)} is not understood: ${error}`];
    if (LOGINS_BY_PASSWORD.includes(method)) return [];
    if (shared !== undefined)
      return [
        `line ${String(line)} of ${String(file)} lets users in from other hosts by ${String(method)}, without a ` +
          "password of PostgreSQL's own, and instances come from there: write scram-sha-256 in it, and run SELECT " +
          'pg_reload_conf()',
      ];
    return [
      `line ${String(line)} of ${String(file)} lets users of the socket in by ${String(method)}, without a password ` +
        "of PostgreSQL's own, and a container's processes have uids of this host: write scram-sha-256 there, give " +
        'POSTGRES_USER a password, and run SELECT pg_reload_conf()',
    ];
  });
  if (changed !== undefined)
    problems.push('its pg_hba.conf was changed after the server read it: run SELECT pg_reload_conf()');
  return problems;
}

async function databaseProblems(session: Session): Promise<string[]> {
  const open = await session.run(
    'Reading the rights',
    "SELECT datname AS name FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS entry WHERE " +
      "datallowconn AND grantee = 0 AND privilege_type = 'CONNECT' ORDER BY 1",
  );
  return open.map(
    ({ name }) =>
      `every role may connect to the database ${String(name)}, and instances would meet there: ` +
      `REVOKE CONNECT ON DATABASE "${String(name)}" FROM PUBLIC`,
  );
}
