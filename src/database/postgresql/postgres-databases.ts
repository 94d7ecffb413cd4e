import { basename, join } from 'node:path';
import { systemClock } from '../../domain/clock.ts';
import type { Template } from '../../domain/template.ts';
import type { DatabaseCredentials, Databases } from '../../pool/interfaces/databases.ts';
import { DatabaseNames } from '../names.ts';
import { newPassword } from '../new-password.ts';
import { connectionsWanted, requireSeed, seedsFor, type DatabaseOptions, type ServerLogin } from '../server.ts';
import { SessionGuard } from './session-guard.ts';
import { quoted } from './quoted.ts';
import { MAX_ROLE_CONNECTIONS, createDatabase, createRole, dropWithRole, openDatabase } from './roles.ts';
import { requirePostgres, requireSafe } from './safety.ts';
import { Seeds, lock, namesOnServer } from './seeds.ts';
import { NO_SUCH_DATABASE, sqlState, withSession, type Session } from './session.ts';

/** A clone of a big seed takes its time. */
const CLONE_ANSWER_TIMEOUT_MS = 60_000;

/** Databases on a PostgreSQL of this node, or one that nodes share. Nothing is asked of it yet: `prepare` does. */
export function connectPostgres(options: DatabaseOptions): Databases {
  return new PostgresDatabases(options);
}

class PostgresDatabases implements Databases {
  readonly #options: DatabaseOptions;
  readonly #login: ServerLogin;
  readonly #names: DatabaseNames;
  readonly #seeds: Seeds;
  readonly #guard: SessionGuard;
  #toldOfConnections = false;

  constructor(options: DatabaseOptions) {
    const { socketPath, shared, user, password, patience, deployment, entropy, log, sessionBounds } = options;
    this.#options = options;
    this.#login = { socketPath, shared, user, password, patience };
    this.#names = new DatabaseNames('postgresql', deployment, entropy);
    this.#seeds = new Seeds({ login: this.#login, names: this.#names, log });
    this.#guard = new SessionGuard({ login: this.#login, names: this.#names, log, bounds: sessionBounds });
  }

  async prepare(templates: readonly Template[]): Promise<void> {
    await this.#requireReady(templates);
    for (const seed of seedsFor('postgresql', templates)) await this.#seeds.load(seed);
  }

  async keepPrepared(templates: readonly Template[]): Promise<void> {
    await this.#requireReady(templates);
    this.#seeds.begin(seedsFor('postgresql', templates));
  }

  async dropSeedsBut(templates: readonly Template[]): Promise<void> {
    await withSession(this.#login, (session) => this.#seeds.dropOthers(session, seedsFor('postgresql', templates)));
  }

  nameFor(_template: Template, owner: Parameters<Databases['nameFor']>[1]): string {
    return this.#names.nameFor(owner);
  }

  async create(name: string, template: Template): Promise<DatabaseCredentials> {
    this.#names.requireInstance(name);
    const seed = requireSeed('postgresql', template, name);
    const { socketPath } = this.#login;
    const password = newPassword();
    const loaded = await this.#seeds.load(seed);
    try {
      await withSession(
        this.#login,
        async (session) => {
          await this.#seeds.requireWhole(session, seed);
          await this.#clone(session, name, loaded, password);
        },
        { answerMs: CLONE_ANSWER_TIMEOUT_MS },
      );
    } catch (error) {
      // Somebody emptied the server since the seed was loaded; the next try loads it again.
      if (sqlState(error) === NO_SUCH_DATABASE) this.#seeds.forget(seed.seedDigest);
      throw error;
    }
    return { socket: join(this.#options.mountedAt, basename(socketPath)), name, user: name, password };
  }

  async drop(name: string): Promise<void> {
    this.#names.requireInstance(name);
    await withSession(this.#login, async (session) => {
      await lock(session, name);
      await dropWithRole(session, name, this.#login);
    });
  }

  async list(): Promise<readonly string[]> {
    const names = await withSession(this.#login, namesOnServer);
    return this.#names.droppable(names, (this.#options.clock ?? systemClock).now());
  }

  async sizes(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return withSession(this.#login, async (session) => {
      const rows = await session.run(
        'Asking for the sizes of databases',
        'SELECT datname AS name, pg_database_size(oid) AS bytes FROM pg_database ' +
          "WHERE datname = ANY(string_to_array($1, ','))",
        [names.join(',')],
      );
      return new Map(rows.map(({ name, bytes }) => [String(name), Number(bytes)]));
    });
  }

  /** The file's name is made of the server's port: `.s.PGSQL.5432`. */
  socketNameOf(): string {
    return basename(this.#login.socketPath);
  }

  /** Every operation closes its own connection. */
  async close(): Promise<void> {
    await this.#guard.stop();
  }

  async #requireReady(templates: readonly Template[]): Promise<void> {
    await withSession(this.#login, async (session) => {
      await requirePostgres(session);
      await requireSafe(session, this.#login);
      await this.#tellOfConnections(session, [...templates, ...this.#options.catalogue.all()]);
    });
    if (this.#options.guards === true) this.#guard.start();
  }

  async #clone(session: Session, name: string, seed: string, password: string): Promise<void> {
    // Asked each time: the instance is about to reach the socket, and the server may have been restarted otherwise.
    await requireSafe(session, this.#login);
    await lock(session, name);
    await dropWithRole(session, name, this.#login);
    await createDatabase(session, name, seed);
    await createRole(session, name, password);
    await openDatabase(session, name);
    await withSession(
      this.#login,
      (inside) =>
        inside.run(`Giving what is in ${name} to its role`, `REASSIGN OWNED BY ${quoted(seed)} TO ${quoted(name)}`),
      { database: name, answerMs: CLONE_ANSWER_TIMEOUT_MS },
    );
  }

  async #tellOfConnections(session: Session, templates: readonly Template[]): Promise<void> {
    if (this.#toldOfConnections) return;
    this.#toldOfConnections = true;
    const [row] = await session.run(
      'Asking for max_connections',
      "SELECT current_setting('max_connections')::int AS max",
    );
    const has = Number(row?.['max']);
    const wanted = connectionsWanted('postgresql', templates, MAX_ROLE_CONNECTIONS);
    if (has < wanted)
      this.#options.log.warn(
        { maxConnections: has, wanted },
        "A few instances could take all of PostgreSQL's connections: raise max_connections in postgresql.conf to " +
          'what is wanted here',
      );
  }
}
