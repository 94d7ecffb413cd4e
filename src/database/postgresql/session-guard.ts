import type { Log } from '../../domain/log.ts';
import { Loop } from '../../lifecycle/loop.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { DatabaseNames } from '../names.ts';
import type { ServerLogin } from '../server.ts';
import { withSession, type Session } from './session.ts';

/** Shorter than anybody would wait before they call the server broken. */
const ROUND_MS = 1_000;
/** Of the server's table of locks, for all sessions of one role. Apps hold some hundred, even while they migrate. */
const LARGEST_SHARE = 0.25;

/** Above what a role starts with (STATEMENT_TIMEOUT), so that the server's own message comes first. */
const LONGEST_STATEMENT_MS = 90_000;

/** Of the sessions that can be told apart from the server's own. */
const LOCKS_BY_ROLE = `SELECT usename AS role, count(*)::int AS locks FROM pg_stat_activity JOIN pg_locks USING (pid)
  WHERE usename IS NOT NULL GROUP BY usename`;
const LOCK_TABLE = `SELECT current_setting('max_locks_per_transaction')::int *
  (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS size`;

const RUNNING = `SELECT pid, usename AS role FROM pg_stat_activity WHERE usename IS NOT NULL AND state = 'active' AND
  extract(epoch FROM clock_timestamp() - query_start) * 1000 > $1`;

/**
 * All databases of a server share one table of locks, and any role can fill it with one statement: nobody could read a
 * row then, nor connect, nor could we drop anything. So what an instance's role has open is ended when it holds too
 * many. The guard stays connected, in one transaction, for then it needs no further lock itself when the table is full.
 * It also ends statements that run too long, since a session may lift its own limit (`SET statement_timeout = 0`).
 */
export class SessionGuard {
  readonly #loop: Loop;

  constructor(options: {
    readonly login: ServerLogin;
    readonly names: DatabaseNames;
    readonly log: Log;
    readonly longestStatementMs?: number | undefined;
  }) {
    const { login, names, log, longestStatementMs = LONGEST_STATEMENT_MS } = options;
    this.#loop = new Loop({ name: 'guard-postgresql-sessions', intervalMs: ROUND_MS, log }, async (signal) =>
      withSession(login, async (session) => {
        const [table] = await session.run('Asking for the size of the table of locks', LOCK_TABLE);
        await session.run('Beginning to guard the locks', 'BEGIN');
        while (!signal.aborted) {
          await endHoarders(session, { names, log, most: Number(table?.['size']) * LARGEST_SHARE });
          await endLongStatements(session, { names, log, longestStatementMs });
          await sleep(ROUND_MS, signal);
        }
      }),
    );
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }
}

async function endHoarders(
  session: Session,
  { names, log, most }: { readonly names: DatabaseNames; readonly log: Log; readonly most: number },
): Promise<void> {
  // What a transaction has seen of sessions it would see again.
  await session.run('Looking at the sessions', 'SELECT pg_stat_clear_snapshot()');
  for (const { role, locks } of await session.run('Counting the locks of each role', LOCKS_BY_ROLE)) {
    const name = String(role);
    if (Number(locks) <= most || !names.isInstance(name)) continue;
    await session.run(
      `Ending the sessions of ${name}`,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
      [name],
    );
    log.warn(
      { database: name, locks, most },
      "An instance held so many of PostgreSQL's locks that the others would have had none; its sessions were ended",
    );
  }
}

async function endLongStatements(
  session: Session,
  options: { readonly names: DatabaseNames; readonly log: Log; readonly longestStatementMs: number },
): Promise<void> {
  const { names, log, longestStatementMs } = options;
  const what = 'Looking for statements that run too long';
  for (const { pid, role } of await session.run(what, RUNNING, [String(longestStatementMs)])) {
    const name = String(role);
    if (!names.isInstance(name)) continue;
    await session.run(`Ending a session of ${name}`, 'SELECT pg_terminate_backend($1)', [String(pid)]);
    log.warn(
      { database: name, longestMs: longestStatementMs },
      'A statement of an instance ran for too long on PostgreSQL; its session was ended',
    );
  }
}
