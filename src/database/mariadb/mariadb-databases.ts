import { basename, join } from 'node:path';
import { systemClock } from '../../domain/clock.ts';
import type { Template } from '../../domain/template.ts';
import type { DatabaseCredentials, Databases } from '../../pool/interfaces/databases.ts';
import { DatabaseNames } from '../names.ts';
import { newPassword } from '../new-password.ts';
import { connectionsWanted, requireSeed, seedsFor, type DatabaseOptions, type ServerLogin } from '../server.ts';
import { MAX_USER_CONNECTIONS, createUser, dropWithUser } from './accounts.ts';
import { copyTables, createEmpty } from './clone-plan.ts';
import { missingBounds } from './missing-bounds.ts';
import { requireMariadb, requireSafe } from './safety.ts';
import { Seeds, lock, namesOnServer } from './seeds.ts';
import { SessionGuard } from './session-guard.ts';
import { NO_SUCH_DATABASE, NO_SUCH_TABLE, serverErrorNumber, withSession, type Session } from './session.ts';
import { Sizes } from './sizes.ts';
import { requireClient, runSqlFile } from './sql-file.ts';

/** A clone of a big seed takes its time, statement by statement. */
const CLONE_ANSWER_TIMEOUT_MS = 60_000;
const REPLAY_TIMEOUT_MS = 120_000;
/** Below the time we wait for an answer at all. */
const LOCK_TIMEOUT_S = 8;

/** Databases on a MariaDB of this node, or one that nodes share. Nothing is asked of the server yet: `prepare` does. */
export function connectMariadb(options: DatabaseOptions): Databases {
  return new MariadbDatabases(options);
}

class MariadbDatabases implements Databases {
  readonly #options: DatabaseOptions;
  readonly #login: ServerLogin;
  readonly #names: DatabaseNames;
  readonly #seeds: Seeds;
  readonly #guard: SessionGuard;
  readonly #sizes: Sizes;
  #toldOfBounds = false;

  constructor(options: DatabaseOptions) {
    const { socketPath, shared, user, password, patience, deployment, entropy, log, sessionBounds } = options;
    this.#options = options;
    this.#login = { socketPath, shared, user, password, patience };
    this.#names = new DatabaseNames('mariadb', deployment, entropy);
    this.#sizes = new Sizes({ seesFiles: shared === undefined });
    this.#seeds = new Seeds({ login: this.#login, names: this.#names, log });
    this.#guard = new SessionGuard({ login: this.#login, names: this.#names, log, bounds: sessionBounds });
  }

  async prepare(templates: readonly Template[]): Promise<void> {
    await this.#requireReady(templates);
    for (const seed of seedsFor('mariadb', templates)) await this.#seeds.plan(seed);
  }

  async keepPrepared(templates: readonly Template[]): Promise<void> {
    await this.#requireReady(templates);
    this.#seeds.begin(seedsFor('mariadb', templates));
  }

  async dropSeedsBut(templates: readonly Template[]): Promise<void> {
    await withSession(this.#login, (session) => this.#seeds.dropOthers(session, seedsFor('mariadb', templates)));
  }

  nameFor(_template: Template, owner: Parameters<Databases['nameFor']>[1]): string {
    return this.#names.nameFor(owner);
  }

  async create(name: string, template: Template): Promise<DatabaseCredentials> {
    this.#names.requireInstance(name);
    const seed = requireSeed('mariadb', template, name);
    const { socketPath } = this.#login;
    const password = newPassword();
    const plan = await this.#seeds.plan(seed);
    try {
      await withSession(
        this.#login,
        async (session) => {
          // Asked each time: the instance is about to reach the socket, and the server
          // may have been restarted otherwise.
          await requireSafe(session, this.#login);
          if (plan.copies === undefined) await requireClient();
          await this.#seeds.requireWhole(session, seed);
          await lock(session, name, { password: this.#login.password, timeoutS: LOCK_TIMEOUT_S });
          await dropWithUser(session, name);
          await createEmpty(session, name, plan);
          // The user comes last where it can: nobody logs in to a database that is not whole.
          if (plan.copies !== undefined) await copyTables(session, name, plan.copies);
          await createUser(session, name, password);
          if (plan.copies === undefined)
            await runSqlFile(seed, {
              database: name,
              login: { ...this.#login, user: name, password },
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
    this.#names.requireInstance(name);
    await withSession(this.#login, async (session) => {
      await lock(session, name, { password: this.#login.password, timeoutS: LOCK_TIMEOUT_S });
      await dropWithUser(session, name);
    });
  }

  async list(): Promise<readonly string[]> {
    const names = await withSession(this.#login, namesOnServer);
    return this.#names.droppable(names, (this.#options.clock ?? systemClock).now());
  }

  async sizes(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return withSession(this.#login, (session) => this.#sizes.of(session, names));
  }

  socketNameOf(): string {
    return basename(this.#login.socketPath);
  }

  /** Every operation closes its own connection. */
  async close(): Promise<void> {
    await this.#guard.stop();
  }

  async #requireReady(templates: readonly Template[]): Promise<void> {
    await withSession(this.#login, async (session) => {
      await requireMariadb(session);
      await requireSafe(session, this.#login);
      await this.#tellOfBounds(session, [...templates, ...this.#options.catalogue.all()]);
    });
    if (this.#options.guards === true) this.#guard.start();
  }

  /** Somebody emptied the server since the seed was loaded; the next try loads it again. */
  #noticeLostSeed(error: unknown, digest: string): void {
    const errno = serverErrorNumber(error);
    if (errno === NO_SUCH_DATABASE || errno === NO_SUCH_TABLE) this.#seeds.forget(digest);
  }

  async #tellOfBounds(session: Session, templates: readonly Template[]): Promise<void> {
    if (this.#toldOfBounds) return;
    this.#toldOfBounds = true;
    const missing = await missingBounds(session);
    if (missing.length > 0)
      this.#options.log.warn(
        { missing },
        'One instance could take the memory of MariaDB, or all prepared statements, from the others: put what is ' +
          'missing under [mariadb] in my.cnf and restart it',
      );
    const [row] = await session.run('Asking for max_connections', 'SELECT @@max_connections AS max');
    const has = Number(row?.['max']);
    const wanted = connectionsWanted('mariadb', templates, MAX_USER_CONNECTIONS);
    if (has < wanted) {
      this.#options.log.warn(
        { maxConnections: has, wanted },
        "A few instances could take all of MariaDB's connections: raise " +
          'max_connections in my.cnf to what is wanted here',
      );
    }
  }
}
