import type { Suspect } from '../../domain/suspect.ts';

/** Who took how much within the last minutes, over all servers, and who was found to take too much. */
export interface ShareCounts {
  /** Adds to the minute that runs. What there is no room for is left out. Throws store_unavailable. */
  add(counts: ReadonlyMap<string, number>): Promise<void>;
  /** Of the last ten minutes together. Throws store_unavailable. */
  recent(): Promise<ReadonlyMap<string, number>>;
  /** Those of the last day, the newest first; what is older is forgotten. Throws store_unavailable. */
  suspects(): Promise<readonly Suspect[]>;
  /** In place of what was known of them. Throws store_unavailable. */
  note(suspects: readonly Suspect[]): Promise<void>;
}
