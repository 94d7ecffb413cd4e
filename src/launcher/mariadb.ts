import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TryItNowError } from '../domain/errors.ts';
import { ChildServer, findProgram } from './child-server.ts';
import { commandAs, keptPassword, serverAccount, writeOwned, type ServerAccount } from './server-account.ts';

const run = promisify(execFile);

export interface LaunchedMariadb extends AsyncDisposable {
  /** In a folder with nothing else in it: that folder is mounted into instances. */
  readonly socketPath: string;
  readonly user: string;
  readonly password: string;
  /** Holds the password (mode 0600), for other programs of the same user. */
  readonly passwordFile: string;
  readonly server: ChildServer;
}

/** The account Debian's package makes for the server. */
const SERVER_ACCOUNT = 'mysql';

/** Written at the first start: big enough that a clone of some MB does not make the server wait for its pages. */
const LOG_FILE_SIZE = '64M';

/**
 * The most that a session may set these to: whatever it liked otherwise, and then take as much with one statement.
 * Those of UNBOUNDED would begin above it.
 */
const MOST_OF_A_SESSION = {
  'max-session-mem-used': '128M',
  'tmp-disk-table-size': '512M',
  'max-heap-table-size': '64M',
  'tmp-table-size': '64M',
  'sort-buffer-size': '16M',
  'join-buffer-size': '8M',
  'join-buffer-space-limit': '16M',
  'read-buffer-size': '8M',
  'read-rnd-buffer-size': '8M',
  'mrr-buffer-size': '8M',
  'bulk-insert-buffer-size': '16M',
  'myisam-sort-buffer-size': '16M',
  'aria-sort-buffer-size': '16M',
  'optimizer-trace-max-mem-size': '8M',
} as const;
const UNBOUNDED = ['max-session-mem-used', 'tmp-disk-table-size'] as const;

/** Tells whose the tables in memory are, temporary ones too, which the server counts for no session; nothing else. */
const WHOSE_MEMORY: readonly string[] = [
  '--performance-schema=ON',
  '--performance-schema-instrument=%=OFF',
  '--performance-schema-instrument=memory/memory/%=ON',
  ...[
    'accounts-size',
    'digests-size',
    'events-stages-history-long-size',
    'events-stages-history-size',
    'events-statements-history-long-size',
    'events-statements-history-size',
    'events-transactions-history-long-size',
    'events-transactions-history-size',
    'events-waits-history-long-size',
    'events-waits-history-size',
    'hosts-size',
    'max-digest-length',
    'max-index-stat',
    'max-sql-text-length',
    'max-table-handles',
    'max-table-instances',
    'max-table-lock-stat',
    'users-size',
  ].map((size) => `--performance-schema-${size}=0`),
];

/** Every database here is discarded within hours: nothing waits for a disk, and memory is kept for the instances. */
const SETTINGS: readonly string[] = [
  '--skip-networking',
  '--unix-socket=OFF',
  '--skip-log-bin',
  '--skip-name-resolve',
  '--local-infile=OFF',
  // A table's DATA DIRECTORY would be a file wherever this server may write.
  '--skip-symbolic-links',
  '--event-scheduler=OFF',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-use-native-aio=0',
  '--innodb-buffer-pool-size=64M',
  `--innodb-log-file-size=${LOG_FILE_SIZE}`,
  '--innodb-stats-persistent=0',
  '--innodb-buffer-pool-dump-at-shutdown=OFF',
  '--innodb-buffer-pool-load-at-startup=OFF',
  '--aria-pagecache-buffer-size=8M',
  '--key-buffer-size=1M',
  '--max-allowed-packet=64M',
  '--character-set-server=utf8mb4',
  // A connection costs nothing until it is made; see MAX_USER_CONNECTIONS in the databases' engine for an instance's
  // share. Whoever never logs in has no such bound: this many take longer than it takes to notice and end the visit.
  '--max-connections=8000',
  '--back-log=200',
  '--table-open-cache=2000',
  '--wait-timeout=28800',
  // Whoever connects and says nothing holds one of them for so long.
  '--connect-timeout=5',
  // All sessions share the number. Each takes 32 KB, and so the bound of memory is the one that is met.
  '--max-prepared-stmt-count=1048576',
  // Temporary tables of InnoDB share one file, which one instance could fill for the others; the file is never smaller
  // again.
  '--default-tmp-storage-engine=Aria',
  '--innodb-temp-data-file-path=ibtmp1:12M:autoextend:max:1G',
  '--myisam-sort-buffer-size=8M',
  '--aria-sort-buffer-size=8M',
  ...WHOSE_MEMORY,
  ...UNBOUNDED.map((name) => `--${name}=${MOST_OF_A_SESSION[name]}`),
  ...Object.entries(MOST_OF_A_SESSION).map(([name, most]) => `--maximum-${name}=${most}`),
];

/**
 * A MariaDB without any port, for the instances' databases, its files under `dir`, which is made. It keeps data and
 * password over a restart. Throws child_failed.
 */
export async function launchMariadb(options: {
  readonly dir: string;
  /** Beside its own, and over them. */
  readonly settings?: readonly string[];
}): Promise<LaunchedMariadb> {
  const { dir, settings = [] } = options;
  const paths = {
    data: join(dir, 'data'),
    socket: join(dir, 'socket', 'mariadb.sock'),
    own: join(dir, 'own'),
    passwordFile: join(dir, 'password'),
  };
  const account = await serverAccount('MariaDB', SERVER_ACCOUNT);
  // The server's account must be able to pass through, not to look around.
  await mkdir(dir, { recursive: true });
  if (account !== undefined) await chmod(dir, 0o711);
  for (const folder of [join(dir, 'socket'), paths.own]) {
    await mkdir(folder, { recursive: true });
    if (account !== undefined) await chown(folder, account.uid, account.gid);
    await chmod(folder, folder === paths.own ? 0o700 : 0o755);
  }
  if (!existsSync(paths.data)) await install(paths, account);
  const password = await keptPassword(paths.passwordFile);
  // Not in its own folder, where it could have put a link in the way of what root writes.
  const initFile = join(dir, 'init.sql');
  await writeOwned(initFile, initialSql(password), account);
  const [command, ...args] = commandAs(findProgram('mariadbd') ?? 'mariadbd', account);
  const server = await ChildServer.start({
    name: 'MariaDB',
    command,
    args: [
      ...args,
      '--no-defaults',
      `--datadir=${paths.data}`,
      `--socket=${paths.socket}`,
      `--pid-file=${join(paths.own, 'mariadb.pid')}`,
      `--init-file=${initFile}`,
      `--tmpdir=${paths.own}`,
      ...SETTINGS,
      ...settings,
    ],
    cleanEnv: true,
    saysUp: 'ready for connections',
  });
  return {
    socketPath: paths.socket,
    user: 'root',
    password,
    passwordFile: paths.passwordFile,
    server,
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** Into a folder beside, then renamed: a half-installed one is never taken for a whole one. */
async function install(
  { data, own }: { readonly data: string; readonly own: string },
  account: ServerAccount | undefined,
): Promise<void> {
  const program = findProgram('mariadb-install-db');
  if (program === undefined)
    throw new TryItNowError(
      'child_failed',
      'MariaDB cannot be started: the program mariadb-install-db is not installed; `make setup` installs it',
    );
  const fresh = `${data}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  if (account !== undefined) await chown(fresh, account.uid, account.gid);
  try {
    await run(
      program,
      [
        '--no-defaults',
        ...(account === undefined ? [] : [`--user=${SERVER_ACCOUNT}`]),
        `--datadir=${fresh}`,
        // Any server that starts deletes what others have in the same folder.
        `--tmpdir=${own}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--skip-name-resolve',
        `--innodb-log-file-size=${LOG_FILE_SIZE}`,
        '--innodb-use-native-aio=0',
      ],
      { timeout: 60_000 },
    );
  } catch (error) {
    throw new TryItNowError('child_failed', `mariadb-install-db could not make ${data}`, { cause: error });
  }
  await rename(fresh, data);
}

/**
 * Run before the server opens its socket, so the accounts without a password are never reachable. One statement a line.
 */
function initialSql(password: string): string {
  return [
    "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');",
    'FLUSH PRIVILEGES;',
    `ALTER USER 'root'@'localhost' IDENTIFIED VIA mysql_native_password USING PASSWORD('${password}');`,
    '',
  ].join('\n');
}
