import type { DatabaseSeed } from '../domain/database.ts';
import { TryItNowError } from '../domain/errors.ts';

/** What loads failed with that nobody waited for, until somebody asks: of each seed the last, by its digest. */
export class FailedLoads {
  readonly #errors = new Map<string, { readonly error: unknown }>();

  add(digest: string, error: unknown): void {
    this.#errors.set(digest, { error });
  }

  /** Of the first of these that failed; it is told once. Those of other seeds are forgotten. */
  take(seeds: readonly DatabaseSeed[]): { readonly error: unknown } | undefined {
    const failed = seeds.map(({ seedDigest }) => this.#errors.get(seedDigest)).find((each) => each !== undefined);
    this.#errors.clear();
    return failed;
  }
}

export function seedNotWhole(name: string): TryItNowError {
  return new TryItNowError(
    'database_failed',
    `The seed ${name} is not whole: it was dropped, or is being loaded; it will be tried again`,
  );
}
