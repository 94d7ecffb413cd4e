import { createHmac } from 'node:crypto';
import type { DatabaseSeed } from '../../domain/database.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { DatabaseNames } from '../names.ts';
import { newPassword } from '../new-password.ts';
import { FailedLoads, seedNotWhole } from '../seed-loads.ts';
import type { ServerLogin } from '../server.ts';
import { createUser, dropUser, dropWithUser } from './accounts.ts';
import { createEmpty, readClonePlan, type ClonePlan } from './clone-plan.ts';
import { quoted } from './quoted.ts';
import { withSession, type Session } from './session.ts';
import { requireClient, runSqlFile } from './sql-file.ts';

const LOAD_TIMEOUT_MS = 15 * 60_000;

/** Written onto the seed's database last: without it the load was cut off, and the seed is loaded again. */
const WHOLE = 'whole';
const SEED_DEFAULTS = { characterSet: 'utf8mb4', collation: 'utf8mb4_general_ci' };

/** Each seed's file, loaded once into a database of its own that every instance's is then copied from. */
export class Seeds {
  readonly #login: ServerLogin;
  readonly #names: DatabaseNames;
  readonly #log: Log;
  readonly #plans = new Map<string, Promise<ClonePlan>>();
  readonly #failures = new FailedLoads();

  constructor(options: { readonly login: ServerLogin; readonly names: DatabaseNames; readonly log: Log }) {
    this.#login = options.login;
    this.#names = options.names;
    this.#log = options.log;
  }

  /** Loads the seed unless a whole one is there; at once after that. */
  async plan(seed: DatabaseSeed): Promise<ClonePlan> {
    const { seedDigest } = seed;
    const known = this.#plans.get(seedDigest);
    if (known !== undefined) return known;
    const loading = withSession(this.#login, (session) => this.#loaded(session, seed), LOAD_TIMEOUT_MS);
    this.#plans.set(seedDigest, loading);
    loading.catch(() => this.forget(seedDigest));
    return loading;
  }

  /** Loads them where nobody waits for it. Throws, once, what an earlier load of one of them failed with. */
  begin(seeds: readonly DatabaseSeed[]): void {
    const failed = this.#failures.take(seeds);
    for (const seed of seeds)
      void this.plan(seed).catch((error: unknown) => this.#failures.add(seed.seedDigest, error));
    if (failed !== undefined) throw failed.error;
  }

  /** The seed's database may be gone: it is looked for, and loaded if need be, the next time. */
  forget(digest: string): void {
    this.#plans.delete(digest);
  }

  /** Drops this deployment's seeds that are none of these, and that nobody is loading. */
  async dropOthers(session: Session, seeds: readonly DatabaseSeed[]): Promise<void> {
    const wanted = new Set(seeds.map(({ seedDigest }) => seedDigest));
    for (const name of await namesOnServer(session)) {
      const parsed = this.#names.parse(name);
      if (parsed?.kind !== 'seed' || wanted.has(parsed.digest)) continue;
      if (!(await tryLock(session, name, { password: this.#login.password, timeoutS: 0 }))) continue;
      await dropWithUser(session, name);
      this.forget(parsed.digest);
      this.#log.info({ database: name }, 'Dropped a seed that no template uses any more');
    }
  }

  /** Somebody may be loading it again since it was planned. Throws database_failed; it is looked for the next time. */
  async requireWhole(session: Session, { seedDigest }: DatabaseSeed): Promise<void> {
    const name = this.#names.seed(seedDigest);
    if (await isWhole(session, name)) return;
    this.forget(seedDigest);
    throw seedNotWhole(name);
  }

  /** Under a lock, for another program of this deployment may be at the same. The server gives it back if we die. */
  async #loaded(session: Session, seed: DatabaseSeed): Promise<ClonePlan> {
    const name = this.#names.seed(seed.seedDigest);
    await lock(session, name, { password: this.#login.password, timeoutS: LOAD_TIMEOUT_MS / 1_000 });
    if (!(await isWhole(session, name))) await this.#load(session, name, seed);
    return readClonePlan(session, name);
  }

  async #load(session: Session, name: string, seed: DatabaseSeed): Promise<void> {
    const startedAt = performance.now();
    await requireClient();
    await dropWithUser(session, name);
    await createEmpty(session, name, SEED_DEFAULTS);
    try {
      const password = newPassword();
      await createUser(session, name, password, 'unlimited');
      await runSqlFile(seed, {
        database: name,
        login: { ...this.#login, user: name, password },
        timeoutMs: LOAD_TIMEOUT_MS,
      });
      const [tables] = await session.run(
        `Counting the tables of the seed ${name}`,
        'SELECT COUNT(*) AS count FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?',
        [name],
      );
      if (Number(tables?.['count']) === 0)
        throw new TryItNowError(
          'database_failed',
          `The seed ${seed.seedFile} makes no table; give a dump of one database, without CREATE DATABASE and USE`,
        );
    } catch (error) {
      // Best effort: what stays is not taken for whole, and what failed first is what the operator has to hear.
      await dropWithUser(session, name).catch(() => undefined);
      throw error;
    }
    await dropUser(session, name);
    await session.run(`Marking the seed ${name} as whole`, `ALTER DATABASE ${quoted(name)} COMMENT '${WHOLE}'`);
    this.#log.info(
      { database: name, seed: seed.seedFile, durationMs: Math.round(performance.now() - startedAt) },
      'Loaded a seed',
    );
  }
}

async function isWhole(session: Session, name: string): Promise<boolean> {
  const [there] = await session.run(
    `Looking for the seed ${name}`,
    'SELECT SCHEMA_COMMENT AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
    [name],
  );
  return there?.['comment'] === WHOLE;
}

/** Names of all databases and of all users from where instances connect, no matter whose they are. */
export async function namesOnServer(session: Session): Promise<readonly string[]> {
  const rows = await session.run(
    'Listing databases and users',
    'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA UNION SELECT User FROM mysql.global_priv ' +
      'WHERE Host = ?',
    [session.clientHost],
  );
  return rows.map(({ name }) => String(name));
}

/**
 * Held until the session ends. All users of a server share the names of its locks, so ours is made with the password:
 * nobody else can take it first. Throws database_failed when another program of ours holds it for that long.
 */
export async function lock(
  session: Session,
  name: string,
  { password, timeoutS }: { readonly password: string; readonly timeoutS: number },
): Promise<void> {
  if (!(await tryLock(session, name, { password, timeoutS })))
    throw new TryItNowError(
      'database_failed',
      `The database ${name} is being made or dropped by somebody else for more than ${timeoutS} s; it will be ` +
        'tried again',
    );
}

/** Whether it is held now; it waits for others no longer than that. */
export async function tryLock(
  session: Session,
  name: string,
  { password, timeoutS }: { readonly password: string; readonly timeoutS: number },
): Promise<boolean> {
  const lockName = createHmac('sha256', password).update(`lock ${name}`).digest('base64url');
  const [row] = await session.run(`Waiting for others at ${name}`, `SELECT GET_LOCK(?, ${timeoutS}) AS held`, [
    lockName,
  ]);
  return row?.['held'] === 1;
}
