import { basename, dirname } from 'node:path';
import { Client, type DatabaseError } from 'pg';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { withDeadline } from '../../lifecycle/deadline.ts';
import { SERVER_PATIENCE, placeOf, reachRemedy, type ServerLogin, type ServerPatience } from '../server.ts';

type Row = Readonly<Record<string, unknown>>;

/** One connection's worth of statements, one after another. */
export interface Session {
  /** `what` is for the message of the error: what the statement was to do. */
  run(what: string, sql: string, values?: readonly string[]): Promise<readonly Row[]>;
}

export interface SessionOptions {
  /** The database the connection is to; MAINTENANCE_DATABASE without it. */
  readonly database?: string;
  /** The server's patience without it. */
  readonly answerMs?: number;
}

/** Every server has it, and nobody's data is in it: our own connections go there, and meet at its locks. */
const MAINTENANCE_DATABASE = 'postgres';

/** A node's own server answers a new connection within some milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;
/** Two may be lost, or late. */
const SIGNS_IN_A_SILENCE = 3;
/** SQLSTATE: too many connections; the server is stopped, crashed, or starts just now; it broke the connection. */
const SERVER_STATES = /^(?:53300|57P0[1235]|08...)$/;
/** A wrong password, or a rule that lets nobody in. */
const LOGIN_REFUSED = /^28/;

export const NO_SUCH_DATABASE = '3D000';

/**
 * A connection for one operation: it can be neither stale nor left in a state by the one before, and while the server
 * is unavailable every operation says so at once. Throws database_unavailable, database_failed.
 */
export async function withSession<T>(
  login: ServerLogin,
  use: (session: Session) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  return withClient(
    login,
    async (client) => {
      const session = sessionOn(client, login);
      await session.run('Setting up a connection', sessionSettings(login.patience ?? SERVER_PATIENCE));
      return use(session);
    },
    options,
  );
}

/** The library's own client, for what a session cannot say; `use` throws what the library throws. */
export async function withClient<T>(
  login: ServerLogin,
  use: (client: Client) => Promise<T>,
  { database = MAINTENANCE_DATABASE, answerMs }: SessionOptions = {},
): Promise<T> {
  const { socketPath, user, password } = login;
  const client = new Client({
    host: dirname(socketPath),
    port: Number(/\d+$/.exec(basename(socketPath))?.[0]),
    user,
    password,
    database,
    application_name: 'try-it-now',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: answerMs ?? (login.patience ?? SERVER_PATIENCE).answerMs,
  });
  // What breaks a connection also rejects the statement that waits for it.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    // The attempt that was given up may still be waiting.
    void client.end().catch(() => undefined);
    throw connectFailure(error, login, database);
  }
  try {
    return await use(client);
  } finally {
    // A server that hangs is not waited for long.
    await withDeadline(
      CONNECT_TIMEOUT_MS,
      client.end().catch(() => undefined),
      () => undefined,
    );
  }
}

/** The server's own code (SQLSTATE) for what went wrong, when it was the server that said so. */
export function sqlState(error: unknown): unknown {
  return error instanceof TryItNowError ? error.details?.['sqlState'] : undefined;
}

/** `what` was to be done when the library threw this. */
export function statementFailure(what: string, error: unknown, login: ServerLogin): TryItNowError {
  const { code, severity, message, hint } = error as Partial<DatabaseError>;
  // An answer of the server has a severity; what the library says of itself has none.
  if (severity === undefined || (code !== undefined && SERVER_STATES.test(code)))
    return new TryItNowError(
      'database_unavailable',
      `${what} failed: PostgreSQL at ${placeOf(login)} stopped answering (${message ?? describeError(error)})`,
      { retryAfterMs: 2_000 },
    );
  return new TryItNowError(
    'database_failed',
    `${what} failed: PostgreSQL says "${message ?? ''}"${hint === undefined ? '' : ` (${hint})`}`,
    { details: { sqlState: code } },
  );
}

/**
 * Whatever the server's defaults: no statement of ours waits for others for longer, and none is cut short by them. Of a
 * client that is silent the server's kernel asks for a sign of life; over a socket of its own there is nothing to ask.
 */
function sessionSettings({ lockWaitS, silenceS }: ServerPatience): string {
  const everyS = silenceS / SIGNS_IN_A_SILENCE;
  return (
    `SET lock_timeout = '${lockWaitS}s'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; ` +
    `SET tcp_keepalives_idle = ${everyS}; SET tcp_keepalives_interval = ${everyS}; ` +
    `SET tcp_keepalives_count = ${SIGNS_IN_A_SILENCE - 1}; SET tcp_user_timeout = '${silenceS}s'; ` +
    "SET search_path = pg_catalog; SET client_min_messages = 'warning'"
  );
}

function connectFailure(error: unknown, login: ServerLogin, database: string): TryItNowError {
  const [place, { user }] = [placeOf(login), login];
  const { code } = error as Partial<DatabaseError>;
  const why = describeError(error);
  if (code !== undefined && LOGIN_REFUSED.test(code))
    return new TryItNowError(
      'database_failed',
      `PostgreSQL at ${place} does not let ${user} in (${why}); check POSTGRES_USER and POSTGRES_PASSWORD`,
      { details: { sqlState: code } },
    );
  if (code === NO_SUCH_DATABASE)
    return new TryItNowError('database_failed', `PostgreSQL at ${place} has no database ${database} (${why})`, {
      details: { sqlState: code },
    });
  return new TryItNowError(
    'database_unavailable',
    `PostgreSQL does not answer at ${place} (${why}); ${reachRemedy('postgresql', login)}`,
    { retryAfterMs: 2_000 },
  );
}

function sessionOn(client: Client, login: ServerLogin): Session {
  return {
    run: async (what, sql, values) => {
      try {
        const answer = await client.query<Row>(sql, values === undefined ? undefined : [...values]);
        // Several statements at once have several answers, which nobody asks for.
        return Array.isArray(answer) ? [] : answer.rows;
      } catch (error) {
        throw statementFailure(what, error, login);
      }
    },
  };
}
