import type { Clock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import type { Breakers } from './interfaces/breakers.ts';
import type { PoolControls, PoolMode } from './interfaces/pool-controls.ts';
import type { PoolSize } from '../domain/pool-size.ts';
import type { PoolSizes } from './interfaces/pool-sizes.ts';
import type { Inventory } from './interfaces/inventory.ts';

/** How a pool stands, apart from its figures. */
export interface PoolStatus {
  readonly mode: PoolMode;
  /** Refills are stopped, because they kept failing. */
  readonly breakerOpen: boolean;
  readonly quarantined: number;
  /** 0 without idle instances. */
  readonly oldestReadyAgeMs: number;
  /** Of one that sizes itself. */
  readonly size: PoolSize | undefined;
}

export interface PoolStatusDeps {
  readonly inventory: Pick<Inventory, 'leaving' | 'oldestReady'>;
  readonly controls: Pick<PoolControls, 'read'>;
  readonly breakers: Breakers;
  readonly poolSizes: Pick<PoolSizes, 'read'>;
  readonly clock: Clock;
}

/** Of each template. Reads the records of all that leaves, so it is meant for scrapes. Throws store_unavailable. */
export async function poolStatuses(
  { inventory, controls, breakers, poolSizes, clock }: PoolStatusDeps,
  templates: readonly string[],
): Promise<ReadonlyMap<string, PoolStatus>> {
  const [leaving, oldest, modes, readings, sizes] = await Promise.all([
    inventory.leaving(),
    inventory.oldestReady(templates),
    controls.read(templates),
    breakers.read(templates),
    poolSizes.read(templates),
  ]);
  const now = clock.now();
  return new Map(
    templates.map((template) => [
      template,
      {
        mode: modes.get(template)?.mode ?? 'open',
        breakerOpen: readings.get(template)?.open ?? false,
        quarantined: leaving.filter((record) => record.template === template && record.state === 'quarantined').length,
        oldestReadyAgeMs: ageOf(
          oldest.find((record) => record.template === template),
          now,
        ),
        size: sizes.get(template),
      },
    ]),
  );
}

function ageOf(ready: Instance | undefined, now: number): number {
  return ready === undefined || ready.readyAtMs === null ? 0 : Math.max(0, now - ready.readyAtMs);
}
