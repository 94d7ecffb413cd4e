import type { Clock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import type { Breakers } from './interfaces/breakers.ts';
import type { PoolControls, PoolMode } from './interfaces/pool-controls.ts';
import type { Inventory } from './interfaces/inventory.ts';

/** How a pool stands, apart from its figures. */
export interface PoolStatus {
  readonly mode: PoolMode;
  /** Refills are stopped, because they kept failing. */
  readonly breakerOpen: boolean;
  readonly quarantined: number;
  /** 0 without idle instances. */
  readonly oldestReadyAgeMs: number;
}

export interface PoolStatusDeps {
  readonly inventory: Pick<Inventory, 'list'>;
  readonly controls: Pick<PoolControls, 'read'>;
  readonly breakers: Breakers;
  readonly clock: Clock;
}

/** Of each template. Reads every record, so it is meant for scrapes and not for requests. Throws store_unavailable. */
export async function poolStatuses(
  { inventory, controls, breakers, clock }: PoolStatusDeps,
  templates: readonly string[],
): Promise<ReadonlyMap<string, PoolStatus>> {
  const [records, modes, readings] = await Promise.all([
    inventory.list(),
    controls.read(templates),
    breakers.read(templates),
  ]);
  const now = clock.now();
  return new Map(
    templates.map((template) => {
      const own = records.filter((record) => record.template === template);
      return [
        template,
        {
          mode: modes.get(template)?.mode ?? 'open',
          breakerOpen: readings.get(template)?.open ?? false,
          quarantined: own.filter(({ state }) => state === 'quarantined').length,
          oldestReadyAgeMs: oldestAge(own, now),
        },
      ];
    }),
  );
}

function oldestAge(records: readonly Instance[], now: number): number {
  const ages = records.flatMap(({ state, readyAtMs }) =>
    state === 'ready' && readyAtMs !== null ? [now - readyAtMs] : [],
  );
  return Math.max(0, ...ages);
}
