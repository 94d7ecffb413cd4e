import { TryItNowError } from '../../domain/errors.ts';
import { placeOf, type ServerLogin } from '../server.ts';
import type { Row, Session } from './session.ts';

/** What stands for no password, in the logins by password. */
const WITHOUT_SECRET: readonly unknown[] = [undefined, ''];
const PASSWORD_PLUGINS: readonly unknown[] = [
  undefined,
  '',
  'mysql_native_password',
  'mysql_old_password',
  'ed25519',
  'parsec',
  'caching_sha2_password',
];

const OLDEST = [10, 6] as const;

/** Throws database_failed for another server or one too old. */
export async function requireMariadb(session: Session): Promise<void> {
  const [row] = await session.run("Asking for the server's version", 'SELECT VERSION() AS version');
  const version = String(row?.['version']);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (version.includes('MariaDB') && (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]))) return;
  throw new TryItNowError(
    'database_failed',
    `The server at DATABASE_SOCKET says it is ${version}, but MariaDB ${OLDEST.join('.')} or newer is ` +
      'needed; run one and set DATABASE_SOCKET',
  );
}

/**
 * Instances reach the server's socket, so nobody may be let in there without a password, and what they write must stay
 * in the server's own folder. Throws database_unsafe.
 * The login by the socket's peer is the worst: it asks for a uid, and a container's root has the host's uid 0.
 */
export async function requireSafe(session: Session, login: ServerLogin): Promise<void> {
  const plugins = await session.run(
    'Asking for the login plugins',
    "SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'unix_socket' AND PLUGIN_STATUS = 'ACTIVE'",
  );
  const accounts = await session.run('Reading the accounts', 'SELECT User, Host, Priv FROM mysql.global_priv');
  const problems = accounts.flatMap((account) => accountProblem(account, plugins.length > 0) ?? []);
  const [links] = await session.run('Asking where tables may lie', 'SELECT @@have_symlink AS allowed');
  if (links?.['allowed'] === 'YES')
    problems.push(
      'an instance could have a table written into any folder that the server may write to (DATA DIRECTORY): put ' +
        'skip-symbolic-links under [mariadb] in my.cnf and restart MariaDB',
    );
  const everybody = await session.run('Reading the rights', "SELECT Db FROM mysql.db WHERE User IN ('', 'PUBLIC')");
  for (const { Db: database } of everybody)
    problems.push(
      `every account may use the database ${String(database)}, and instances would meet there: DROP DATABASE ` +
        "IF EXISTS test; DELETE FROM mysql.db WHERE User IN ('', 'PUBLIC'); FLUSH PRIVILEGES",
    );
  const [names] = await session.run('Asking whether it looks up names', 'SELECT @@skip_name_resolve AS skipped');
  // Otherwise it counts broken logins by host, and a hundred of one instance lock out all of that host.
  if (login.shared !== undefined && String(names?.['skipped']) !== '1')
    problems.push(
      'an instance could have it refuse all others of its host, by a hundred connections that break off ' +
        '(max_connect_errors): put skip-name-resolve under [mariadb] in my.cnf and restart MariaDB',
    );
  if (problems.length === 0) return;
  throw new TryItNowError(
    'database_unsafe',
    `MariaDB at ${placeOf(login)} is not safe to let instances near: ${problems.join('. ')}`,
    { details: { problems } },
  );
}

function accountProblem({ User: user, Host: host, Priv: priv }: Row, socketLogin: boolean): string | undefined {
  const who = `'${String(user)}'@'${String(host)}'`;
  const about = parsed(priv);
  if (about === undefined || about['account_locked'] === true || about['is_role'] === true) return undefined;
  if (user === 'PUBLIC' && host === '') return undefined;
  if (user === '') return `the account ${who} lets anybody in: DROP USER ${who}`;
  const methods = [about, ...(Array.isArray(about['auth_or']) ? (about['auth_or'] as Row[]) : [])].filter(
    (method) => 'plugin' in method || method === about,
  );
  if (socketLogin && methods.some((method) => method['plugin'] === 'unix_socket')) {
    return (
      `${who} is let in without a password by its uid, and a container's root has the same uid at the socket ` +
      `as this host's: give it a password (ALTER USER ${who} IDENTIFIED BY '…'), put unix_socket=OFF under ` +
      '[mariadb] in my.cnf and restart MariaDB'
    );
  }
  const open = methods.some(
    ({ plugin, authentication_string: secret }) => WITHOUT_SECRET.includes(secret) && PASSWORD_PLUGINS.includes(plugin),
  );
  return open ? `${who} has no password: ALTER USER ${who} IDENTIFIED BY '…', or DROP USER ${who}` : undefined;
}

/** An account whose entry cannot be read cannot log in either. */
function parsed(priv: unknown): Row | undefined {
  try {
    const value: unknown = JSON.parse(String(priv));
    return typeof value === 'object' && value !== null ? (value as Row) : undefined;
  } catch {
    return undefined;
  }
}
