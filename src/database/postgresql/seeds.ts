import type { DatabaseSeed } from '../../domain/database.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { DatabaseNames } from '../names.ts';
import { newPassword } from '../new-password.ts';
import { FailedLoads, seedNotWhole } from '../seed-loads.ts';
import type { ServerLogin } from '../server.ts';
import { quoted } from './quoted.ts';
import { createDatabase, createRole, dropWithRole, openDatabase } from './roles.ts';
import { withSession, type Session } from './session.ts';
import { runSqlFile } from './sql-file.ts';

const LOAD_TIMEOUT_MS = 15 * 60_000;

/** In UTF-8, and with nothing that somebody put into template1. */
const SEED_TEMPLATE = 'template0';
const SEED_SETTINGS = "ENCODING 'UTF8'";

/** Each seed's file, loaded once into a template database that every instance's is then copied from. */
export class Seeds {
  readonly #login: ServerLogin;
  readonly #names: DatabaseNames;
  readonly #log: Log;
  readonly #loaded = new Map<string, Promise<string>>();
  readonly #failures = new FailedLoads();

  constructor(options: { readonly login: ServerLogin; readonly names: DatabaseNames; readonly log: Log }) {
    this.#login = options.login;
    this.#names = options.names;
    this.#log = options.log;
  }

  /** The name of the template database, which is loaded unless a whole one is there; at once after that. */
  async load(seed: DatabaseSeed): Promise<string> {
    const { seedDigest } = seed;
    const known = this.#loaded.get(seedDigest);
    if (known !== undefined) return known;
    const loading = withSession(this.#login, (session) => this.#ensure(session, seed), { answerMs: LOAD_TIMEOUT_MS });
    this.#loaded.set(seedDigest, loading);
    loading.catch(() => this.forget(seedDigest));
    return loading;
  }

  /** Loads them where nobody waits for it. Throws, once, what an earlier load of one of them failed with. */
  begin(seeds: readonly DatabaseSeed[]): void {
    const failed = this.#failures.take(seeds);
    for (const seed of seeds)
      void this.load(seed).catch((error: unknown) => this.#failures.add(seed.seedDigest, error));
    if (failed !== undefined) throw failed.error;
  }

  /** The template database may be gone: it is looked for, and loaded if need be, the next time. */
  forget(digest: string): void {
    this.#loaded.delete(digest);
  }

  /** Drops this deployment's seeds that are none of these, and that nobody is loading. */
  async dropOthers(session: Session, seeds: readonly DatabaseSeed[]): Promise<void> {
    const wanted = new Set(seeds.map(({ seedDigest }) => seedDigest));
    for (const name of await namesOnServer(session)) {
      const parsed = this.#names.parse(name);
      if (parsed?.kind !== 'seed' || wanted.has(parsed.digest)) continue;
      if (!(await tryLock(session, name))) continue;
      await dropWithRole(session, name, this.#login);
      this.forget(parsed.digest);
      this.#log.info({ database: name }, 'Dropped a seed that no template uses any more');
    }
  }

  /** Somebody may be loading it again since it was loaded. Throws database_failed; it is looked for the next time. */
  async requireWhole(session: Session, { seedDigest }: DatabaseSeed): Promise<void> {
    const name = this.#names.seed(seedDigest);
    if (await isWhole(session, name)) return;
    this.forget(seedDigest);
    throw seedNotWhole(name);
  }

  /** Under a lock, for another program of this deployment may be at the same. The server gives it back if we die. */
  async #ensure(session: Session, seed: DatabaseSeed): Promise<string> {
    const name = this.#names.seed(seed.seedDigest);
    await lock(session, name, LOAD_TIMEOUT_MS);
    if (!(await isWhole(session, name))) await this.#load(session, name, seed);
    return name;
  }

  /** That it is a template comes last: without it the load was cut off, and the seed is loaded again. */
  async #load(session: Session, name: string, seed: DatabaseSeed): Promise<void> {
    const startedAt = performance.now();
    await dropWithRole(session, name, this.#login);
    await createDatabase(session, name, SEED_TEMPLATE, SEED_SETTINGS);
    try {
      const password = newPassword();
      await createRole(session, name, password, 'unlimited');
      await openDatabase(session, name);
      await this.#inside(name, `Giving the schema public to ${name}`, `ALTER SCHEMA public OWNER TO ${quoted(name)}`);
      await runSqlFile(seed, {
        database: name,
        login: { ...this.#login, user: name, password },
        timeoutMs: LOAD_TIMEOUT_MS,
      });
      await this.#requireTables(name, seed);
    } catch (error) {
      // Best effort: what stays is not taken for whole, and what failed first is what the operator has to hear.
      await dropWithRole(session, name, this.#login).catch(() => undefined);
      throw error;
    }
    await session.run(`Locking the role ${name}`, `ALTER ROLE ${quoted(name)} NOLOGIN`);
    await session.run(
      `Marking the seed ${name} as whole`,
      `ALTER DATABASE ${quoted(name)} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true`,
    );
    this.#log.info(
      { database: name, seed: seed.seedFile, durationMs: Math.round(performance.now() - startedAt) },
      'Loaded a seed',
    );
  }

  async #requireTables(name: string, { seedFile }: DatabaseSeed): Promise<void> {
    const [tables] = await this.#inside(
      name,
      `Counting the tables of the seed ${name}`,
      "SELECT 1 FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND " +
        "nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_toast%' LIMIT 1",
    );
    if (tables === undefined)
      throw new TryItNowError(
        'database_failed',
        `The seed ${seedFile} makes no table; give a dump of one database, without CREATE DATABASE and \\connect`,
      );
  }

  async #inside(name: string, what: string, sql: string): ReturnType<Session['run']> {
    return withSession(this.#login, (session) => session.run(what, sql), { database: name });
  }
}

async function isWhole(session: Session, name: string): Promise<boolean> {
  const [there] = await session.run(
    `Looking for the seed ${name}`,
    'SELECT datistemplate AS whole FROM pg_database WHERE datname = $1',
    [name],
  );
  return there?.['whole'] === true;
}

/** Names of all databases and of all roles, no matter whose they are. */
export async function namesOnServer(session: Session): Promise<readonly string[]> {
  const rows = await session.run(
    'Listing databases and roles',
    'SELECT datname AS name FROM pg_database UNION SELECT rolname FROM pg_roles',
  );
  return rows.map(({ name }) => String(name));
}

/** Held until the session ends. Throws database_failed when somebody else holds it for that long. */
export async function lock(session: Session, name: string, timeoutMs?: number): Promise<void> {
  if (timeoutMs !== undefined) await session.run(`Waiting for others at ${name}`, `SET lock_timeout = ${timeoutMs}`);
  await session.run(`Waiting for others at ${name}`, 'SELECT pg_advisory_lock(hashtextextended($1, 0))', [name]);
}

/** Whether it is held from now on, until the session ends. */
export async function tryLock(session: Session, name: string): Promise<boolean> {
  const sql = 'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS held';
  return (await session.run(`Looking for others at ${name}`, sql, [name]))[0]?.['held'] === true;
}
