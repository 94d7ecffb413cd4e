import { createHash, randomBytes } from 'node:crypto';
import { DATABASE_ENGINES, type DatabaseEngine } from '../domain/database.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Entropy } from '../domain/ids.ts';

/**
 * Names of databases, and of the user of each. At most 31 characters on MariaDB, which every version takes for a
 * user; only letters a-z, digits and `_`. Other deployments on the same server differ in the second part,
 * other programs in the first, which also tells the engine: `tin` MariaDB, `tinpg` PostgreSQL.
 *
 *   tin_<deployment, 8>_i_<attempt, 16>       of an attempt at an instance: nothing of its id can be read from it
 *   tin_<deployment, 8>_t_<until, 9>_<6>      only tried, may go at that time (ms since the epoch, base 36)
 *   tin_<deployment, 8>_s_<digest, 16>        a template's seed, to be cloned
 */
export type DatabaseName =
  | { readonly kind: 'instance' }
  | { readonly kind: 'tried'; readonly untilMs: number }
  | { readonly kind: 'seed'; readonly digest: string };

const UNTIL_DIGITS = 9;
const PROGRAM: Readonly<Record<DatabaseEngine, string>> = { mariadb: 'tin', postgresql: 'tinpg' };

/** The engine whose server has the database of this name, whichever deployment's it is. */
export function engineOfName(name: string): DatabaseEngine | undefined {
  return DATABASE_ENGINES.find((engine) => name.startsWith(`${PROGRAM[engine]}_`));
}

export class DatabaseNames {
  readonly #prefix: string;
  readonly #entropy: Entropy;

  constructor(engine: DatabaseEngine, deployment: string, entropy: Entropy = randomBytes) {
    this.#prefix = `${PROGRAM[engine]}_${hash(`deployment ${deployment}`, 8)}_`;
    this.#entropy = entropy;
  }

  /**
   * Another one for each attempt at the same instance: one that was superseded cannot touch what its successor made.
   */
  instance(instanceId: string, attempt: string): string {
    return `${this.#prefix}i_${hash(`database ${instanceId} ${attempt}`, 16)}`;
  }

  /** Another one at every call. */
  tried(untilMs: number): string {
    const until = Math.ceil(untilMs).toString(36).padStart(UNTIL_DIGITS, '0');
    return `${this.#prefix}t_${until}_${Buffer.from(this.#entropy(3)).toString('hex')}`;
  }

  seed(digest: string): string {
    return `${this.#prefix}s_${digest}`;
  }

  nameFor(owner: { readonly instanceId: string; readonly attempt: string } | { readonly keepUntilMs: number }): string {
    return 'instanceId' in owner ? this.instance(owner.instanceId, owner.attempt) : this.tried(owner.keepUntilMs);
  }

  /** No database: the lock of whoever looks after the sessions of all instances. */
  guard(): string {
    return `${this.#prefix}guard`;
  }

  /** Undefined for what is not this deployment's: only a name that fits entirely is ours to drop. */
  parse(name: string): DatabaseName | undefined {
    if (!name.startsWith(this.#prefix)) return undefined;
    const rest = name.slice(this.#prefix.length);
    if (/^i_[0-9a-f]{16}$/.test(rest)) return { kind: 'instance' };
    const until = /^t_([0-9a-z]{9})_[0-9a-f]{6}$/.exec(rest)?.[1];
    if (until !== undefined) return { kind: 'tried', untilMs: Number.parseInt(until, 36) };
    const digest = /^s_([0-9a-f]{16})$/.exec(rest)?.[1];
    return digest === undefined ? undefined : { kind: 'seed', digest };
  }

  /** Those of instances, and those that were only tried and whose time is over. */
  droppable(found: readonly string[], nowMs: number): string[] {
    return found.filter((name) => {
      const parsed = this.parse(name);
      return parsed?.kind === 'instance' || (parsed?.kind === 'tried' && parsed.untilMs <= nowMs);
    });
  }

  /** Also one that was only tried. */
  isInstance(name: string): boolean {
    const kind = this.parse(name)?.kind;
    return kind === 'instance' || kind === 'tried';
  }

  /**
   * What another made is not ours to replace or drop, nor is a seed, which all instances are copied from. Throws
   * database_failed.
   */
  requireInstance(name: string): void {
    if (!this.isInstance(name))
      throw new TryItNowError(
        'database_failed',
        `The database ${name} is not one of this deployment's instances, so it is left alone`,
      );
  }
}

function hash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
