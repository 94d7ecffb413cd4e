import type { PoolSample } from '../../domain/pool-sample.ts';

/** How each pool stood in the last half hour, for people who look. Everything throws store_unavailable. */
export interface PoolHistory {
  record(template: string, sample: PoolSample): Promise<void>;
  /** The oldest first. */
  recent(template: string): Promise<readonly PoolSample[]>;
}
