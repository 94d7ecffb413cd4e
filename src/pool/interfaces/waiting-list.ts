import type { Template } from '../../domain/template.ts';
import type { Supply } from '../../domain/waiting-time.ts';

/** Where somebody stands. */
export interface Standing {
  /** How many wait ahead. */
  readonly ahead: number;
  readonly waitedMs: number;
}

export interface WaitingView {
  readonly supply: Supply;
  /** Those that are still there, by place. */
  readonly standings: ReadonlyMap<string, Standing>;
  /** The operators' word, while the pool is paused. */
  readonly reason: string | undefined;
  /** The embedding sites of places that had lapsed, and were taken away on the way. */
  readonly lapsed: readonly string[];
}

/** Those who wait for an instance, first come, first served, over all servers. */
export interface WaitingList {
  /** Keeps the places of those looked for; once it is their turn, only until they should have taken what is there. */
  look(template: Template, places: readonly string[]): Promise<WaitingView>;
  /** Of these templates, those for which anybody waits. */
  occupied(templates: readonly string[]): Promise<ReadonlySet<string>>;
  /** Those behind move up. The embedding site of who had it; undefined when it was gone already. */
  leave(template: string, place: string): Promise<string | undefined>;
}
