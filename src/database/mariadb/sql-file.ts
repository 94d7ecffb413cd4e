import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSeed } from '../../domain/database.ts';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { readSeed } from '../read-seed.ts';
import { placeOf, type ServerLogin } from '../server.ts';

const CLIENT: string = 'mariadb';
/** Where packages put it; nothing else of our environment is its business. */
const CLIENT_PATH = '/usr/local/bin:/usr/bin:/bin';
const STDERR_BYTES_KEPT = 4_096;
/** The client's own numbers for a server that is unavailable or went away. */
const SERVER_GONE = /^ERROR 20(?:02|03|06|13|26)\b/m;

/** Throws database_failed where this host lacks the program that seeds are loaded with. `path`: as in PATH. */
export async function requireClient(path = CLIENT_PATH): Promise<void> {
  for (const folder of path.split(':')) {
    const isThere = await access(join(folder, CLIENT), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return;
  }
  throw new TryItNowError(
    'database_failed',
    `This host lacks the program ${CLIENT}, which loads what databases are filled with; ` +
      'install it (`apt-get install mariadb-client`)',
  );
}

/**
 * Runs a dump with MariaDB's own client, which knows all that dumps contain (DELIMITER, versioned comments) and names
 * the line of an error. The login is that of a user with rights on one database: a seed cannot do more than an instance
 * may. Throws database_unavailable, database_failed.
 */
export async function runSqlFile(
  seed: DatabaseSeed,
  into: { readonly database: string; readonly login: ServerLogin; readonly timeoutMs: number },
): Promise<void> {
  const { database, login, timeoutMs } = into;
  const sql = await readSeed(seed);
  const client = spawn(
    CLIENT,
    [
      '--no-defaults',
      '--protocol=socket',
      `--socket=${login.socketPath}`,
      `--user=${login.user}`,
      '--default-character-set=utf8mb4',
      '--max-allowed-packet=1G',
      // A dump is only SQL: of the client's own commands (\! runs a program) nothing but DELIMITER is understood.
      '--batch',
      '--binary-mode',
      '--connect-timeout=5',
      `--database=${database}`,
    ],
    {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { PATH: CLIENT_PATH, MYSQL_PWD: login.password },
      signal: AbortSignal.timeout(timeoutMs),
      killSignal: 'SIGKILL',
    },
  );
  let said = '';
  client.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-STDERR_BYTES_KEPT);
  });
  // It stops reading at the first error, which it tells itself.
  client.stdin.on('error', () => undefined).end(sql);
  const code: unknown = await once(client, 'close').then(
    ([exitCode]: unknown[]) => exitCode,
    (error: unknown) => {
      const why =
        error instanceof Error && error.name === 'AbortError'
          ? `it did not end within ${timeoutMs} ms`
          : `MariaDB's client could not be run: ${describeError(error)}; install mariadb-client`;
      throw new TryItNowError('database_failed', `The seed ${seed.seedFile} could not be loaded (${why})`);
    },
  );
  if (code === 0) return;
  if (SERVER_GONE.test(said))
    throw new TryItNowError(
      'database_unavailable',
      `MariaDB at ${placeOf(login)} stopped answering while the seed ${seed.seedFile} was loaded (${said.trim()})`,
      { retryAfterMs: 2_000 },
    );
  throw new TryItNowError(
    'database_failed',
    `The seed ${seed.seedFile} could not be loaded: ${said.trim() || `the client ended with ${String(code)}`}. ` +
      'It is loaded by a user with rights on its own database alone; fix the file',
  );
}
