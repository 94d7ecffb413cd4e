import { createConnection, type Connection, type SqlError } from 'mariadb';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { SERVER_PATIENCE, placeOf, reachRemedy, type ServerLogin, type ServerPatience } from '../server.ts';

export type Row = Readonly<Record<string, unknown>>;

/** One connection's worth of statements, one after another. */
export interface Session {
  /** `what` is for the message of the error: what the statement was to do. */
  run(what: string, sql: string, values?: readonly string[]): Promise<readonly Row[]>;
  /** As accounts name it: from where instances connect. */
  readonly clientHost: 'localhost' | '%';
}

/** A node's own server answers a new connection within a millisecond or two. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Two may be lost, or late. */
const PINGS_IN_A_SILENCE = 3;

/**
 * What our own statements rely on, whatever the server's defaults: seeds with zero dates and zero ids are taken as they
 * are, constraints were checked when the seed was loaded, and times are not converted on the way.
 */
function sessionSettings({ lockWaitS, silenceS }: ServerPatience): string {
  return [
    `SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', lock_wait_timeout = ${lockWaitS}, ` +
      `innodb_lock_wait_timeout = ${lockWaitS}, wait_timeout = ${silenceS}`,
    "time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, check_constraint_checks = 0, " +
      'max_statement_time = 0, sql_quote_show_create = 1',
  ].join(', ');
}

/**
 * Too many connections; server shutdown in progress; connection was killed: the server's
 * states, not the statement's fault.
 */
const SERVER_STATES: ReadonlySet<number> = new Set([1040, 1053, 1927]);
/** Access denied in its variants; a login plugin that is not there. */
const LOGIN_REFUSED: ReadonlySet<number> = new Set([1044, 1045, 1524, 1698]);

export const NO_SUCH_DATABASE = 1049;
export const NO_SUCH_TABLE = 1146;
export const LOCK_WAIT_TIMEOUT = 1205;

/**
 * A connection for one operation: made in 1 to 2 ms on a socket, it can be neither stale nor
 * left in a state by the one before, and while the server is unavailable every operation says so
 * at once. Throws database_unavailable, database_failed.
 */
export async function withSession<T>(
  login: ServerLogin,
  use: (session: Session) => Promise<T>,
  answerTimeoutMs?: number,
): Promise<T> {
  const patience = login.patience ?? SERVER_PATIENCE;
  const connection = await connect(login, answerTimeoutMs ?? patience.answerMs);
  const { session, ping } = sessionOn(connection, login);
  const pings = setInterval(ping, (patience.silenceS * 1_000) / PINGS_IN_A_SILENCE);
  try {
    await session.run('Setting up a connection', sessionSettings(patience));
    return await use(session);
  } finally {
    clearInterval(pings);
    // A broken one is closed already, and a server that hangs is not waited for.
    if (connection.isValid()) await connection.end().catch(() => undefined);
  }
}

/** The server's number for what went wrong, when it was the server that said so. */
export function serverErrorNumber(error: unknown): unknown {
  return error instanceof TryItNowError ? error.details?.['errno'] : undefined;
}

async function connect(login: ServerLogin, answerTimeoutMs: number): Promise<Connection> {
  const { socketPath, user, password } = login;
  try {
    const connection = await createConnection({
      socketPath,
      user,
      password,
      charset: 'utf8mb4',
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: answerTimeoutMs,
      autoJsonMap: false,
      bigIntAsNumber: true,
      keepAliveDelay: -1,
    });
    // What breaks a connection also rejects the statement that waits for it.
    connection.on('error', () => undefined);
    return connection;
  } catch (error) {
    const { errno } = error as Partial<SqlError>;
    const why = ownWords(error);
    if (errno !== undefined && LOGIN_REFUSED.has(errno)) {
      throw new TryItNowError(
        'database_failed',
        `MariaDB at ${placeOf(login)} does not let ${user} in (${why}); check DATABASE_USER and DATABASE_PASSWORD`,
        { details: { errno } },
      );
    }
    throw new TryItNowError(
      'database_unavailable',
      `MariaDB does not answer at ${placeOf(login)} (${why}); ${reachRemedy('mariadb', login)}`,
      { retryAfterMs: 2_000 },
    );
  }
}

/** `ping` has the server go on with a session that waits for something else; a statement that runs needs none. */
function sessionOn(
  connection: Connection,
  login: ServerLogin,
): { readonly session: Session; readonly ping: () => void } {
  let running = 0;
  const during = async <T>(work: Promise<T>): Promise<T> => {
    running += 1;
    try {
      return await work;
    } finally {
      running -= 1;
    }
  };
  const session: Session = {
    // 'localhost' is every client of the server's own socket, and no other.
    clientHost: login.shared === undefined ? 'localhost' : '%',
    run: async (what, sql, values) => {
      try {
        const answer: unknown = await during(connection.query(sql, values));
        return Array.isArray(answer) ? (answer as Row[]) : [];
      } catch (error) {
        throw statementFailure(what, error, { connection, login });
      }
    },
  };
  const ping = (): void => {
    // A failure is the next statement's.
    if (running === 0) void during(connection.ping()).catch(() => undefined);
  };
  return { session, ping };
}

function statementFailure(
  what: string,
  error: unknown,
  { connection, login }: { readonly connection: Connection; readonly login: ServerLogin },
): TryItNowError {
  const { errno, fatal } = error as Partial<SqlError>;
  if (fatal === true || !connection.isValid() || (errno !== undefined && SERVER_STATES.has(errno)))
    return new TryItNowError(
      'database_unavailable',
      `${what} failed: MariaDB at ${placeOf(login)} stopped answering (${ownWords(error)})`,
      { retryAfterMs: 2_000 },
    );
  return new TryItNowError('database_failed', `${what} failed: MariaDB says "${ownWords(error)}"`, {
    details: { errno },
  });
}

/**
 * Without the statement, which the connector puts into its messages: it may hold a password. For the same reason there
 * is no cause.
 */
function ownWords(error: unknown): string {
  const { sqlMessage } = error as Partial<SqlError>;
  return sqlMessage ?? describeError(error);
}
