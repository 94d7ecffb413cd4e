import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TryItNowError } from '../domain/errors.ts';
import { ChildServer, findProgram } from './child-server.ts';
import { commandAs, keptPassword, serverAccount, writeOwned, type ServerAccount } from './server-account.ts';

const run = promisify(execFile);

export interface LaunchedPostgres extends AsyncDisposable {
  /** In a folder with nothing else in it: that folder is mounted into instances. */
  readonly socketPath: string;
  readonly user: string;
  readonly password: string;
  /** Holds the password (mode 0600), for other programs of the same user. */
  readonly passwordFile: string;
  readonly server: ChildServer;
}

/** The account Debian's package makes for the server, and the superuser's name. */
const SERVER_ACCOUNT = 'postgres';
/** Debian keeps the programs of each version here, off the PATH. */
const VERSIONS = '/usr/lib/postgresql';
/** Address space, with what all sessions share. A text of the size a web app holds needs some MB. */
const SESSION_MEMORY_BYTES = 768 * 2 ** 20;
/** Part of the socket's name alone: the server opens no port. */
const PORT = 5432;

/** Everybody, through the socket, by password: a container's processes have uids of this host. */
const LOGIN_RULES = 'local all all scram-sha-256\n';

/** Every database here is discarded within hours: nothing waits for a disk, and memory is kept for the instances. */
const SETTINGS: readonly string[] = [
  'listen_addresses=',
  `port=${PORT}`,
  'unix_socket_permissions=0777',
  'fsync=off',
  'full_page_writes=off',
  'wal_level=minimal',
  'max_wal_senders=0',
  'max_wal_size=512MB',
  'shared_buffers=64MB',
  // A connection costs nothing until it is made; see MAX_ROLE_CONNECTIONS in the databases' engine for one's share.
  'max_connections=500',
  'max_prepared_transactions=0',
  // One table for all sessions together: big enough that nobody fills it before it is noticed.
  'max_locks_per_transaction=256',
  'jit=off',
  'autovacuum_naptime=5min',
  // Statements may hold what is a visitor's alone.
  'log_min_error_statement=panic',
  'log_destination=stderr',
  'logging_collector=off',
];

interface Paths {
  readonly data: string;
  readonly rules: string;
  readonly runningSince: string;
}

/**
 * A PostgreSQL without any port, for the instances' databases, its files under `dir`, which is made. It keeps data and
 * password over a restart, but not over a crash of the host. Throws child_failed.
 */
export async function launchPostgres(options: {
  readonly dir: string;
  /** Beside its own, and over them. */
  readonly settings?: readonly string[];
}): Promise<LaunchedPostgres> {
  const { dir } = options;
  const own = join(dir, 'own');
  const paths = { data: join(own, 'data'), rules: join(dir, 'pg_hba.conf'), runningSince: join(dir, 'running-since') };
  const socketFolder = join(dir, 'socket');
  const passwordFile = join(dir, 'password');
  const account = await serverAccount('PostgreSQL', SERVER_ACCOUNT);
  // The server's account must be able to pass through, not to look around.
  await mkdir(dir, { recursive: true });
  if (account !== undefined) await chmod(dir, 0o711);
  for (const folder of [socketFolder, own]) {
    await mkdir(folder, { recursive: true });
    if (account !== undefined) await chown(folder, account.uid, account.gid);
    await chmod(folder, folder === own ? 0o700 : 0o755);
  }
  const password = await keptPassword(passwordFile);
  await discardAfterCrash(paths);
  if (!existsSync(paths.data)) await install(paths.data, dir, password, account);
  await writeOwned(paths.rules, LOGIN_RULES, account);
  await writeFile(paths.runningSince, bootId());
  const [command, ...args] = bounded(commandAs(programPath('postgres'), account));
  const settings = [
    ...SETTINGS,
    `unix_socket_directories=${socketFolder}`,
    `hba_file=${paths.rules}`,
    ...(options.settings ?? []),
  ];
  const server = await ChildServer.start({
    name: 'PostgreSQL',
    command,
    args: [...args, '-D', paths.data, ...settings.flatMap((setting) => ['-c', setting])],
    // The folder we are in need not be one that the account may look into.
    cwd: '/',
    cleanEnv: true,
    env: { LC_ALL: 'C.UTF-8' },
    saysUp: 'ready to accept connections',
    // Ends the connections; SIGTERM would wait until all clients have left.
    stopSignal: 'SIGINT',
  });
  return {
    socketPath: join(socketFolder, `.s.PGSQL.${PORT}`),
    user: SERVER_ACCOUNT,
    password,
    passwordFile,
    server,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(paths.runningSince, { force: true });
    },
  };
}

/** For each of its processes: a query that wants more fails, and not the host. Throws child_failed. */
function bounded(command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  const limit = findProgram('prlimit');
  if (limit === undefined)
    throw new TryItNowError(
      'child_failed',
      'PostgreSQL cannot be started: the program prlimit (of util-linux) is not there, which bounds its memory',
    );
  return [limit, `--as=${SESSION_MEMORY_BYTES}`, ...command];
}

/** The newest version's, where none is on the PATH. Throws child_failed. */
function programPath(name: string): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  const found =
    versions.map((version) => join(VERSIONS, version, 'bin', name)).find((path) => existsSync(path)) ??
    findProgram(name);
  if (found === undefined)
    throw new TryItNowError(
      'child_failed',
      `PostgreSQL cannot be started: the program ${name} is not installed; \`make setup\` installs it`,
    );
  return found;
}

/** Nothing was forced to the disk, so what a host left behind that went down is not to be trusted. */
async function discardAfterCrash({ data, runningSince }: Paths): Promise<void> {
  if (existsSync(runningSince) && readFileSync(runningSince, 'utf8') !== bootId())
    await rm(data, { recursive: true, force: true });
}

function bootId(): string {
  return existsSync(BOOT_ID) ? readFileSync(BOOT_ID, 'utf8') : '';
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Into a folder beside, then renamed: a half-installed one is never taken for a whole one. */
async function install(data: string, dir: string, password: string, account: ServerAccount | undefined): Promise<void> {
  const fresh = `${data}.new`;
  const passwordInput = join(dir, 'first-password');
  await rm(fresh, { recursive: true, force: true });
  await writeOwned(passwordInput, password, account);
  try {
    const [command, ...args] = commandAs(programPath('initdb'), account);
    await run(
      command,
      [
        ...args,
        `--pgdata=${fresh}`,
        `--username=${SERVER_ACCOUNT}`,
        `--pwfile=${passwordInput}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C.UTF-8',
        '--no-sync',
      ],
      { timeout: 60_000, cwd: '/' },
    );
    await closeToEverybody(fresh, account);
  } catch (error) {
    throw new TryItNowError('child_failed', `initdb could not make ${data}`, { cause: error });
  } finally {
    await rm(passwordInput, { force: true });
  }
  await rename(fresh, data);
}

/** A new server lets every role into the databases it comes with. */
async function closeToEverybody(data: string, account: ServerAccount | undefined): Promise<void> {
  const [command, ...args] = commandAs(programPath('postgres'), account);
  const single = run(command, [...args, '--single', '-D', data, SERVER_ACCOUNT], { timeout: 60_000, cwd: '/' });
  single.child.stdin?.end('REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;\n');
  await single;
}
