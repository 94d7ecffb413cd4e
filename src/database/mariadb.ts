import { basename, join } from 'node:path';
import { systemClock, type Clock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Entropy } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type { DatabaseCredentials, Databases } from '../pool/interfaces/databases.ts';
import { MAX_USER_CONNECTIONS, createUser, dropWithUser, newPassword } from './accounts.ts';
import { copyTables, createEmpty } from './clone-plan.ts';
import { DatabaseNames } from './names.ts';
import { requireMariadb, requireSafe } from './safety.ts';
import { Seeds, lock, namesOnServer } from './seeds.ts';
import {
  NO_SUCH_DATABASE,
  NO_SUCH_TABLE,
  serverErrorNumber,
  withSession,
  type ServerLogin,
  type ServerPatience,
  type Session,
} from './session.ts';
import { runSqlFile } from './sql-file.ts';

export interface MariadbOptions {
  readonly socketPath: string;
  readonly user: string;
  readonly password: string;
  readonly deployment: string;
  /** Where instances see the folder of the socket: DATABASE_MOUNT. */
  readonly mountedAt: string;
  /** All that are offered: their seeds stay, whichever of them is prepared. */
  readonly catalogue: readonly Template[];
  /**
   * Drop seeds that no template uses any more: for the server alone, since a command may read
   * a newer catalogue than it.
   */
  readonly tidiesSeeds: boolean;
  readonly log: Log;
  /** SERVER_PATIENCE without it. */
  readonly patience?: ServerPatience;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
}

/** A clone of a big seed takes its time, statement by statement. */
const CLONE_ANSWER_TIMEOUT_MS = 60_000;
const REPLAY_TIMEOUT_MS = 120_000;
/** Below the time we wait for an answer at all. */
const LOCK_TIMEOUT_S = 8;

/** Databases on a MariaDB of this node. Nothing is asked of the server yet: `prepare` does. */
export function connectMariadb(options: MariadbOptions): Databases {
  return new MariadbDatabases(options);
}

class MariadbDatabases implements Databases {
  readonly #options: MariadbOptions;
  readonly #login: ServerLogin;
  readonly #names: DatabaseNames;
  readonly #seeds: Seeds;
  #toldOfConnections = false;

  constructor(options: MariadbOptions) {
    const { socketPath, user, password, patience, deployment, entropy, log } = options;
    this.#options = options;
    this.#login = { socketPath, user, password, patience };
    this.#names = new DatabaseNames(deployment, entropy);
    this.#seeds = new Seeds({ login: this.#login, names: this.#names, log });
  }

  async prepare(templates: readonly Template[]): Promise<void> {
    const wanted = templates.flatMap(({ database }) => database ?? []);
    const offered = [...templates, ...this.#options.catalogue];
    await withSession(this.#login, async (session) => {
      await requireMariadb(session);
      await requireSafe(session, this.#login.socketPath);
      await this.#tellOfConnections(session, offered);
      if (this.#options.tidiesSeeds)
        await this.#seeds.dropOthers(session, new Set(offered.flatMap(({ database }) => database?.seedDigest ?? [])));
    });
    for (const seed of wanted) await this.#seeds.plan(seed);
  }

  nameFor(owner: Parameters<Databases['nameFor']>[0]): string {
    return 'instanceId' in owner
      ? this.#names.instance(owner.instanceId, owner.attempt)
      : this.#names.tried(owner.keepUntilMs);
  }

  async create(name: string, template: Template): Promise<DatabaseCredentials> {
    this.#requireOwn(name);
    const seed = template.database;
    if (seed === undefined)
      throw new TryItNowError(
        'database_failed',
        `The template ${template.name} has no database, so ${name} cannot be made for ` +
          'it; give it a seed in the catalogue',
      );
    const { socketPath } = this.#login;
    const password = newPassword();
    const plan = await this.#seeds.plan(seed);
    try {
      await withSession(
        this.#login,
        async (session) => {
          // Asked each time: the instance is about to reach the socket, and the server
          // may have been restarted otherwise.
          await requireSafe(session, socketPath);
          await lock(session, name, LOCK_TIMEOUT_S);
          await dropWithUser(session, name);
          await createEmpty(session, name, plan);
          // The user comes last where it can: nobody logs in to a database that is not whole.
          if (plan.copies !== undefined) await copyTables(session, name, plan.copies);
          await createUser(session, name, password);
          if (plan.copies === undefined)
            await runSqlFile(seed, {
              database: name,
              login: { socketPath, user: name, password },
              timeoutMs: REPLAY_TIMEOUT_MS,
            });
        },
        CLONE_ANSWER_TIMEOUT_MS,
      );
    } catch (error) {
      this.#noticeLostSeed(error, seed.seedDigest);
      throw error;
    }
    return { socket: join(this.#options.mountedAt, basename(socketPath)), name, user: name, password };
  }

  async drop(name: string): Promise<void> {
    this.#requireOwn(name);
    await withSession(this.#login, async (session) => {
      await lock(session, name, LOCK_TIMEOUT_S);
      await dropWithUser(session, name);
    });
  }

  async list(): Promise<readonly string[]> {
    const nowMs = (this.#options.clock ?? systemClock).now();
    const names = await withSession(this.#login, namesOnServer);
    return names.filter((name) => {
      const parsed = this.#names.parse(name);
      return parsed?.kind === 'instance' || (parsed?.kind === 'tried' && parsed.untilMs <= nowMs);
    });
  }

  /** Every operation closes its own connection. */
  async close(): Promise<void> {
    await Promise.resolve();
  }

  /** What another made is not ours to replace or drop, nor is a seed, which all instances are copied from. */
  #requireOwn(name: string): void {
    const kind = this.#names.parse(name)?.kind;
    if (kind !== 'instance' && kind !== 'tried')
      throw new TryItNowError(
        'database_failed',
        `The database ${name} is not one of this deployment's instances, so it is left alone`,
      );
  }

  /** Somebody emptied the server since the seed was loaded; the next try loads it again. */
  #noticeLostSeed(error: unknown, digest: string): void {
    const errno = serverErrorNumber(error);
    if (errno === NO_SUCH_DATABASE || errno === NO_SUCH_TABLE) this.#seeds.forget(digest);
  }

  async #tellOfConnections(session: Session, templates: readonly Template[]): Promise<void> {
    if (this.#toldOfConnections) return;
    this.#toldOfConnections = true;
    const [row] = await session.run('Asking for max_connections', 'SELECT @@max_connections AS max');
    const has = Number(row?.['max']);
    const wanted =
      Math.max(0, ...templates.map(({ database, pool }) => (database === undefined ? 0 : pool.max))) *
      MAX_USER_CONNECTIONS;
    if (has < wanted) {
      this.#options.log.warn(
        { maxConnections: has, wanted },
        "A few instances could take all of MariaDB's connections: raise " +
          'max_connections in my.cnf to what is wanted here',
      );
    }
  }
}
