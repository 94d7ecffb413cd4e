import type { Instance } from '../../domain/instance.ts';
import type { NamedPoolEvent } from '../../domain/pool-event.ts';
import type { PoolSize } from '../../domain/pool-size.ts';
import type { Bucket, RefillPace } from '../../domain/stock-for.ts';

/** What the store knows of a template's demand. */
export interface Demand {
  /** By the store's clock. */
  readonly nowMs: number;
  readonly recent: readonly Bucket[];
  readonly lastWeek: readonly Bucket[];
  /** Undefined: none came up lately. */
  readonly pace: RefillPace | undefined;
}

/** How many stand ready of pools that size themselves. All may throw store_unavailable. */
export interface PoolSizes {
  demand(template: string): Promise<Demand>;
  /** What was decided last, of those for which there is a decision. */
  read(templates: readonly string[]): Promise<ReadonlyMap<string, PoolSize>>;
  /**
   * Undefined: its size is fixed. True when what an operator had set for a time ended with that, which holds for those
   * of a fixed size as well.
   */
  decide(template: string, size: PoolSize | undefined): Promise<boolean>;
  /** Idle ones that may go, those that end first; at most so many. */
  idle(template: string, most: number): Promise<readonly Instance[]>;
  /** The next to begin first. */
  events(template: string): Promise<readonly NamedPoolEvent[]>;
  /** Replaces one of the same name. */
  putEvent(template: string, event: NamedPoolEvent): Promise<void>;
  /** False: there is none of that name. */
  removeEvent(template: string, name: string): Promise<boolean>;
}
