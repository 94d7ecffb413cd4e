import type { Log } from '../../domain/log.ts';
import { Loop } from '../../lifecycle/loop.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { FairShare, tellOfLast } from '../fair-share.ts';
import type { DatabaseNames } from '../names.ts';
import { SESSION_BOUNDS, type ServerLogin, type SessionBounds } from '../server.ts';
import { tryLock } from './seeds.ts';
import { serverErrorNumber, withSession, type Row, type Session } from './session.ts';

const ROUND_MS = 1_000;

/** ER_NO_SUCH_THREAD. */
const ENDED_MEANWHILE = 1094;

/** `lasts` does not follow a clock that the session set itself. */
const SESSIONS = `SELECT ID AS id, USER AS user, TID AS thread, MEMORY_USED AS memory,
  IF(COMMAND IN ('Sleep', 'Daemon', 'Killed'), 0, TIME_MS) AS lasts FROM information_schema.PROCESSLIST
  WHERE USER LIKE 'tin\\_%' AND COMMAND <> 'Killed'`;
const MEMORY = `SHOW GLOBAL STATUS WHERE Variable_name IN ('Memory_used', 'Memory_used_initial')`;
/** Temporary ones too. Nothing on a server that does not look (performance_schema). */
const TABLES_IN_MEMORY = `SELECT PROCESSLIST_ID AS id, SUM(CURRENT_NUMBER_OF_BYTES_USED) AS bytes
  FROM performance_schema.memory_summary_by_thread_by_event_name JOIN performance_schema.threads USING (THREAD_ID)
  WHERE EVENT_NAME = 'memory/memory/HP_PTRS' AND PROCESSLIST_ID IS NOT NULL GROUP BY 1`;
const TRANSACTIONS = `SELECT trx_mysql_thread_id AS id, CAST(trx_started AS CHAR) AS started
  FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> 0`;

/**
 * A session may lift its limit of time for statements (`SET max_statement_time = 0`), fill as many tables in memory as
 * it likes, and never end a transaction, so those of instances are watched from outside. Stays connected: an instance
 * that takes all connections does not keep it out.
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
    const bounds = { ...SESSION_BOUNDS, ...options.bounds };
    this.#loop = new Loop({ name: 'guard-mariadb-sessions', intervalMs: ROUND_MS, log }, async (signal) =>
      withSession(login, async (session) => {
        if (login.shared !== undefined) await becomeTheOne(session, login, names, signal);
        const round = new GuardRound(session, { names, log, bounds, seesThreads: login.shared === undefined });
        while (!signal.aborted) {
          await round.look();
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
async function becomeTheOne(
  session: Session,
  { password }: ServerLogin,
  names: DatabaseNames,
  signal: AbortSignal,
): Promise<void> {
  const isMine = (): Promise<boolean> => tryLock(session, names.guard(), { password, timeoutS: 1 });
  while (!signal.aborted) if (await isMine()) return;
}

interface InstanceSession {
  readonly id: number;
  readonly user: string;
  readonly thread: number;
  readonly lastsMs: number;
  readonly memoryBytes: number;
}

class GuardRound {
  readonly #session: Session;
  readonly #names: DatabaseNames;
  readonly #log: Log;
  readonly #bounds: SessionBounds;
  readonly #shares: FairShare | undefined;
  /** When each was seen first: by our own clock, for the server's may be set. */
  #transactions: ReadonlyMap<string, number> = new Map();

  constructor(
    session: Session,
    options: {
      readonly names: DatabaseNames;
      readonly log: Log;
      readonly bounds: SessionBounds;
      readonly seesThreads: boolean;
    },
  ) {
    this.#session = session;
    this.#names = options.names;
    this.#log = options.log;
    this.#bounds = options.bounds;
    this.#shares = options.seesThreads ? new FairShare('mariadbd', options.bounds) : undefined;
  }

  async look(): Promise<void> {
    const rows = await this.#session.run('Looking at the sessions of instances', SESSIONS);
    const sessions = rows.map(asInstanceSession).filter(({ user }) => this.#names.isInstance(user));
    await this.#endLongStatements(sessions);
    await this.#endHoarders(sessions);
    await this.#endOldTransactions(sessions);
    const last = (await this.#shares?.look(sessions, performance.now())) ?? [];
    for (const database of last) tellOfLast(this.#log, database);
  }

  async #endLongStatements(sessions: readonly InstanceSession[]): Promise<void> {
    const longestMs = this.#bounds.longestStatementMs;
    for (const each of sessions) {
      if (each.lastsMs <= longestMs || !(await this.#end(each, 'SOFT'))) continue;
      this.#log.warn(
        { database: each.user, lastsMs: each.lastsMs, longestMs },
        'A statement of an instance ran for too long on MariaDB; its session was ended',
      );
    }
  }

  async #endHoarders(sessions: readonly InstanceSession[]): Promise<void> {
    const mostBytes = this.#bounds.memoryBytes;
    const tables = await this.#tablesInMemory();
    const ofUser = new Map<string, number>();
    for (const { id, user, memoryBytes } of sessions)
      ofUser.set(user, (ofUser.get(user) ?? 0) + memoryBytes + (tables.get(id) ?? 0));
    for (const [user, bytes] of ofUser) {
      if (bytes <= mostBytes) continue;
      for (const each of sessions) if (each.user === user) await this.#end(each, 'HARD');
      this.#log.warn(
        { database: user, bytes, mostBytes },
        "An instance used so much of MariaDB's memory that the others would have had none; its sessions were ended",
      );
    }
  }

  /** By session. Not looked at while all sessions together use less than one of them may, for that takes a while. */
  async #tablesInMemory(): Promise<ReadonlyMap<number, number>> {
    const status = await this.#session.run("Asking for the server's memory", MEMORY);
    const used = new Map(status.map((row) => [row['Variable_name'], Number(row['Value'])]));
    const grown = (used.get('Memory_used') ?? 0) - (used.get('Memory_used_initial') ?? 0);
    if (grown <= this.#bounds.memoryBytes) return new Map();
    const rows = await this.#session.run('Asking whose the tables in memory are', TABLES_IN_MEMORY);
    return new Map(rows.map(({ id, bytes }) => [Number(id), Math.max(0, Number(bytes))]));
  }

  async #endOldTransactions(sessions: readonly InstanceSession[]): Promise<void> {
    const now = performance.now();
    const seen = new Map<string, number>();
    for (const { id, started } of await this.#session.run('Looking for old transactions', TRANSACTIONS)) {
      const each = sessions.find((session) => session.id === Number(id));
      if (each === undefined) continue;
      const key = `${each.id} ${String(started)}`;
      const since = this.#transactions.get(key) ?? now;
      seen.set(key, since);
      if (now - since <= this.#bounds.longestTransactionMs || !(await this.#end(each, 'SOFT'))) continue;
      this.#log.warn(
        { database: each.user, longestMs: this.#bounds.longestTransactionMs },
        'A transaction of an instance stayed open for too long on MariaDB; its session was ended',
      );
    }
    this.#transactions = seen;
  }

  /** False where it has ended by itself. */
  async #end({ id, user }: InstanceSession, how: 'SOFT' | 'HARD'): Promise<boolean> {
    try {
      await this.#session.run(`Ending a session of ${user}`, `KILL ${how} ${id}`);
      return true;
    } catch (error) {
      if (serverErrorNumber(error) !== ENDED_MEANWHILE) throw error;
      return false;
    }
  }
}

function asInstanceSession({ id, user, thread, memory, lasts }: Row): InstanceSession {
  return {
    id: Number(id),
    user: String(user),
    thread: Number(thread),
    lastsMs: Number(lasts),
    memoryBytes: Math.max(0, Number(memory)),
  };
}
