import type { Log } from '../../domain/log.ts';
import { Loop } from '../../lifecycle/loop.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { DatabaseNames } from '../names.ts';
import type { ServerLogin } from '../server.ts';
import { serverErrorNumber, withSession, type Session } from './session.ts';

const ROUND_MS = 1_000;
/** Above what a user starts with (MAX_STATEMENT_TIME), so that the server's own message comes first. */
const LONGEST_STATEMENT_MS = 90_000;

/** ER_NO_SUCH_THREAD. */
const ENDED_MEANWHILE = 1094;

/** Sessions of users who run a statement; `lasts` does not follow a clock that the session set itself. */
const RUNNING = `SELECT ID AS id, USER AS user, TIME_MS AS lasts FROM information_schema.PROCESSLIST
  WHERE COMMAND NOT IN ('Sleep', 'Daemon', 'Killed') AND TIME_MS > ?`;

/**
 * A session may lift its limit of time for statements (`SET max_statement_time = 0`), so those of instances are watched
 * from outside. Stays connected: an instance that takes all connections does not keep it out.
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
    this.#loop = new Loop({ name: 'guard-mariadb-sessions', intervalMs: ROUND_MS, log }, async (signal) =>
      withSession(login, async (session) => {
        while (!signal.aborted) {
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

async function endLongStatements(
  session: Session,
  options: { readonly names: DatabaseNames; readonly log: Log; readonly longestStatementMs: number },
): Promise<void> {
  const { names, log, longestStatementMs } = options;
  const what = 'Looking for statements that run too long';
  for (const { id, user, lasts } of await session.run(what, RUNNING, [String(longestStatementMs)])) {
    if (!names.isInstance(String(user))) continue;
    try {
      await session.run(`Ending a session of ${String(user)}`, `KILL SOFT ${Number(id)}`);
    } catch (error) {
      if (serverErrorNumber(error) !== ENDED_MEANWHILE) throw error;
      continue;
    }
    log.warn(
      { database: user, lastsMs: Number(lasts), longestMs: longestStatementMs },
      'A statement of an instance ran for too long on MariaDB; its session was ended',
    );
  }
}
