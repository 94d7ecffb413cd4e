import { ERROR_CATALOGUE, TryItNowError, describeError } from '../domain/errors.ts';
import { withDeadline } from '../lifecycle/deadline.ts';

type Verdict = 'ok' | 'warning' | 'failure' | 'not_looked_at';

export interface Observation {
  /** A noun or two, unique within the part: `version`, `consumer provision-workers`. */
  readonly what: string;
  readonly verdict: Verdict;
  readonly seen: string;
  /** One sentence with the command; there for every failure and warning. */
  readonly remedy?: string;
}

/** One look at one part. It changes nothing, and it may throw or hang: the caller has to cope with both. */
export interface Check {
  readonly part: string;
  /** Stands for its observations where it did not come to any. */
  readonly what: string;
  /** The longest it may take, in ms. */
  readonly limitMs?: number;
  /** Where it does not answer in time. */
  readonly remedy?: string;
  readonly run: () => Promise<readonly Observation[]>;
}

export interface Diagnosis extends Observation {
  readonly part: string;
}

/** Thrown where another part has to answer first: that part's own check says what to do. */
export class NotChecked extends Error {}

/** Of a part on this host, or in its network: what takes longer has hung, also on a host that is overloaded. */
const LIMIT_MS = 15_000;

export function ok(what: string, seen: string): Observation {
  return { what, verdict: 'ok', seen };
}

export function warning(what: string, seen: string, remedy: string): Observation {
  return { what, verdict: 'warning', seen, remedy };
}

export function failure(what: string, seen: string, remedy: string): Observation {
  return { what, verdict: 'failure', seen, remedy };
}

export function notChecked(what: string, seen: string): Observation {
  return { what, verdict: 'not_looked_at', seen };
}

/** All at once, each within its time; in the order of `checks`. `onSeen` is told as each has ended. Never throws. */
export async function runChecks(
  checks: readonly Check[],
  onSeen: (ended: number) => void = () => undefined,
): Promise<readonly Diagnosis[]> {
  let ended = 0;
  const seen = await Promise.all(
    checks.map(async (check) => {
      const found = await runWithin(check);
      ended += 1;
      onSeen(ended);
      return found.map((observation) => ({ part: check.part, ...observation }));
    }),
  );
  return seen.flat();
}

async function runWithin({ what, limitMs = LIMIT_MS, remedy, run }: Check): Promise<readonly Observation[]> {
  try {
    return await withDeadline(limitMs, run(), () => [
      failure(
        what,
        `no answer within ${limitMs / 1_000} s: it hangs, or this host is overloaded`,
        remedy ?? 'Look whether the part hangs, restart it, and run `try-it-now doctor` again.',
      ),
    ]);
  } catch (error) {
    return [thrown(what, error, remedy)];
  }
}

export function thrown(what: string, error: unknown, remedy?: string): Observation {
  if (error instanceof NotChecked) return notChecked(what, error.message);
  const fallback =
    error instanceof TryItNowError
      ? ERROR_CATALOGUE[error.code].remedy
      : 'Fix what the message names, and run `try-it-now doctor` again.';
  return failure(what, error instanceof TryItNowError ? error.message : describeError(error), remedy ?? fallback);
}

/** Asked for by several checks, had once; `absent` says for the others why they could not look. */
export class Shared<T> {
  readonly #open: () => Promise<T>;
  readonly #absent: string;
  #opened: Promise<T> | undefined;

  constructor(open: () => Promise<T>, absent: string) {
    this.#open = open;
    this.#absent = absent;
  }

  /** For the check that the part belongs to. Throws what opening it throws. */
  get(): Promise<T> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  /** For checks that only need it. Throws NotChecked. */
  async need(): Promise<T> {
    try {
      return await this.get();
    } catch (error) {
      throw error instanceof NotChecked ? error : new NotChecked(this.#absent);
    }
  }
}

/** `8.0.1` is at least `7.2`. */
export function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map(Number);
  for (const [at, wanted] of least.entries()) {
    const part = parts[at] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
