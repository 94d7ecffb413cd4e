import type { Log } from '../../domain/log.ts';
import { Loop } from '../../lifecycle/loop.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { FairShare, tellOfLast } from '../fair-share.ts';
import type { DatabaseNames } from '../names.ts';
import { SESSION_BOUNDS, type ServerLogin, type SessionBounds } from '../server.ts';
import { tryLock } from './seeds.ts';
import { sessionMemory } from './session-memory.ts';
import { withSession, type Session } from './session.ts';

/** Shorter than anybody would wait before they call the server broken. */
const ROUND_MS = 1_000;
/** Many rounds. */
const HANGS_AFTER_S = 10;
/** Of the server's table of locks, for all sessions of one role. Apps hold some hundred, even while they migrate. */
const LARGEST_SHARE = 0.25;
/** Of the queue of NOTIFY, which all databases share: 8 MB of 8 GB. Apps that listen leave next to nothing there. */
const QUEUE_SHARE = 0.001;
/** While more than that is in the queue. */
const LONGEST_LISTENING_MS = 2_000;

/** Of the sessions that can be told apart from the server's own. */
const LOCKS_BY_ROLE = `SELECT usename AS role, count(*)::int AS locks FROM pg_stat_activity JOIN pg_locks USING (pid)
  WHERE usename IS NOT NULL GROUP BY usename`;
const LOCK_TABLE = `SELECT current_setting('max_locks_per_transaction')::int *
  (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS size`;

/** `unread`: its client does not take what it is sent. */
const SESSIONS = `SELECT pid, usename AS role, wait_event IS NOT DISTINCT FROM 'ClientWrite' AS unread,
  CASE state WHEN 'active' THEN extract(epoch FROM clock_timestamp() - query_start) * 1000 END AS statement,
  extract(epoch FROM clock_timestamp() - xact_start) * 1000 AS transaction,
  pg_notification_queue_usage() AS queue FROM pg_stat_activity WHERE usename IS NOT NULL`;

interface GuardDeps {
  readonly names: DatabaseNames;
  readonly log: Log;
  readonly bounds: SessionBounds;
}

interface InstanceSession {
  readonly pid: number;
  readonly role: string;
  readonly unread: boolean;
  readonly statementMs: number;
  readonly transactionMs: number;
  readonly queueShare: number;
}

/**
 * All databases of a server share one table of locks, and any role can fill it with one statement: nobody could read a
 * row then, nor connect, nor could we drop anything. So what an instance's role has open is ended when it holds too
 * many. The guard stays connected, in one transaction, for then it needs no further lock itself when the table is full.
 * It also ends sessions whose memory, statements or transactions grow too large, since a session may lift its own
 * limits (`SET statement_timeout = 0`), and those that keep the queue of NOTIFY from being emptied.
 */
export class SessionGuard {
  readonly #loop: Loop;

  constructor(options: {
    readonly login: ServerLogin;
    readonly names: DatabaseNames;
    readonly log: Log;
    readonly bounds?: Partial<SessionBounds> | undefined;
  }) {
    const { login, names, log } = options;
    const deps = { names, log, bounds: { ...SESSION_BOUNDS, ...options.bounds } };
    this.#loop = new Loop({ name: 'guard-postgresql-sessions', intervalMs: ROUND_MS, log }, async (signal) =>
      withSession(login, async (session) => {
        const { shared } = login;
        if (shared !== undefined) await becomeTheOne(session, names, signal);
        const [table] = await session.run('Asking for the size of the table of locks', LOCK_TABLE);
        await session.run('Beginning to guard the locks', 'BEGIN');
        const shares = shared === undefined ? new FairShare('postgres', deps.bounds) : undefined;
        while (!signal.aborted) {
          await endLockHoarders(session, deps, Number(table?.['size']) * LARGEST_SHARE);
          const sessions = await sessionsOfInstances(session, deps);
          await endLongOnes(session, deps, sessions);
          // The processes of a server elsewhere are not to be seen, and others here have their numbers.
          if (shares !== undefined) {
            await endMemoryHoarders(session, deps, sessions);
            const working = sessions.map(({ pid, role }) => ({ user: role, thread: pid }));
            for (const database of await shares.look(working, performance.now())) tellOfLast(log, database);
          }
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

/**
 * Each node that shares the server would look after the same sessions: the lock has one do it. The server ends the
 * session of one that died or hangs, and with it the lock.
 */
async function becomeTheOne(session: Session, names: DatabaseNames, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await tryLock(session, names.guard()))) await sleep(ROUND_MS, signal);
  await session.run(
    'Having the server end this session if we hang',
    `SET idle_in_transaction_session_timeout = '${HANGS_AFTER_S}s'`,
  );
}

async function endLockHoarders(session: Session, { names, log }: GuardDeps, most: number): Promise<void> {
  // What a transaction has seen of sessions it would see again.
  await session.run('Looking at the sessions', 'SELECT pg_stat_clear_snapshot()');
  for (const { role, locks } of await session.run('Counting the locks of each role', LOCKS_BY_ROLE)) {
    const name = String(role);
    if (Number(locks) <= most || !names.isInstance(name)) continue;
    await endAllOf(session, name);
    log.warn(
      { database: name, locks, most },
      "An instance held so many of PostgreSQL's locks that the others would have had none; its sessions were ended",
    );
  }
}

async function sessionsOfInstances(session: Session, { names }: GuardDeps): Promise<InstanceSession[]> {
  const rows = await session.run('Looking at the sessions of instances', SESSIONS);
  return rows
    .map(({ pid, role, unread, statement, transaction, queue }) => ({
      pid: Number(pid),
      role: String(role),
      unread: unread === true,
      statementMs: Number(statement ?? 0),
      transactionMs: Number(transaction ?? 0),
      queueShare: Number(queue),
    }))
    .filter(({ role }) => names.isInstance(role));
}

async function endLongOnes(
  session: Session,
  { log, bounds }: GuardDeps,
  sessions: readonly InstanceSession[],
): Promise<void> {
  const { longestStatementMs, longestTransactionMs } = bounds;
  for (const { pid, role, unread, statementMs, transactionMs, queueShare } of sessions) {
    const keepsQueue = queueShare > QUEUE_SHARE && (unread || transactionMs > LONGEST_LISTENING_MS);
    const why =
      statementMs > longestStatementMs
        ? 'A statement of an instance ran for too long on PostgreSQL'
        : transactionMs > longestTransactionMs
          ? 'A transaction of an instance stayed open for too long on PostgreSQL'
          : keepsQueue
            ? "The queue of PostgreSQL's NOTIFY grew, and an instance may keep it from being emptied"
            : undefined;
    if (why === undefined) continue;
    await session.run(`Ending a session of ${role}`, 'SELECT pg_terminate_backend($1)', [String(pid)]);
    log.warn(
      { database: role, statementMs, transactionMs, queueShare, longestStatementMs, longestTransactionMs },
      `${why}; its session was ended`,
    );
  }
}

async function endMemoryHoarders(
  session: Session,
  { log, bounds: { memoryBytes: mostBytes } }: GuardDeps,
  sessions: readonly InstanceSession[],
): Promise<void> {
  const ofRole = new Map<string, number>();
  for (const { pid, role } of sessions) ofRole.set(role, (ofRole.get(role) ?? 0) + (await sessionMemory(pid, role)));
  for (const [role, bytes] of ofRole) {
    if (bytes <= mostBytes) continue;
    await endAllOf(session, role);
    log.warn(
      { database: role, bytes, mostBytes },
      'An instance used so much memory on PostgreSQL that the others would have had none; its sessions were ended',
    );
  }
}

async function endAllOf(session: Session, role: string): Promise<void> {
  await session.run(
    `Ending the sessions of ${role}`,
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
    [role],
  );
}
