import type { BreakerStatus } from './interfaces/breakers.ts';
import type { PoolStats } from './interfaces/inventory.ts';
import type { PoolControl } from './interfaces/pool-controls.ts';

/** How many of a template refills begin now that its pool is to have `wanted` ready: as reserve.lua reckons it. */
export function refillable(
  { ready, warming, assigned, leaving, waiting, capacity }: Omit<PoolStats, 'target'>,
  { mode, target: operators }: Pick<PoolControl, 'mode' | 'target'>,
  { open }: Pick<BreakerStatus, 'open'>,
  wanted: number,
): number {
  if (mode === 'draining') return 0;
  const target = Math.min(Math.max(operators ?? wanted, operators === 0 ? 0 : waiting), capacity);
  const room = capacity - ready - warming - assigned - leaving;
  return Math.max(0, Math.min(target - ready - warming, room, open ? 1 - warming : Infinity));
}
