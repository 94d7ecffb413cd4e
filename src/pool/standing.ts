import type { Clock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import type { Breakers, PoolControls, PoolMode } from './operator-ports.ts';
import type { Census } from './ports.ts';

/** How a pool stands, apart from its figures. */
export interface PoolStanding {
  readonly mode: PoolMode;
  /** Refills are stopped, because they kept failing. */
  readonly breakerOpen: boolean;
  readonly quarantined: number;
  /** 0 without stock. */
  readonly oldestReadyAgeMs: number;
}

export interface StandingParts {
  readonly census: Pick<Census, 'list'>;
  readonly controls: Pick<PoolControls, 'read'>;
  readonly breakers: Breakers;
  readonly clock: Clock;
}

/** Of each template. Reads every record, so it is meant for scrapes and not for requests. Throws store_unavailable. */
export async function poolStandings(
  { census, controls, breakers, clock }: StandingParts,
  templates: readonly string[],
): Promise<ReadonlyMap<string, PoolStanding>> {
  const [records, modes, readings] = await Promise.all([
    census.list(),
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
