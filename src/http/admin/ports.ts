/** What the admin API needs of the pool. */
import type { PoolReading } from '../../pool/operate-pools.ts';

export type { PoolReading };

export interface Operators {
  pools(): Promise<readonly PoolReading[]>;
  /** Throws unknown_template. */
  pause(template: string, reason: string | undefined): Promise<PoolReading>;
  /** Throws unknown_template. */
  drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<PoolReading>;
  /** Throws unknown_template. */
  resume(template: string): Promise<PoolReading>;
  /** Undefined: as configured. Throws unknown_template, invalid_request. */
  setTarget(template: string, target: number | undefined): Promise<PoolReading>;
}
