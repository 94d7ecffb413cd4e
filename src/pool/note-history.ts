import type { Clock } from '../domain/clock.ts';
import { POOL_SAMPLE_VERSION } from '../domain/pool-sample.ts';
import type { Catalogue } from '../domain/template.ts';
import type { FunnelCounts } from './interfaces/funnel-counts.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { PoolHistory } from './interfaces/pool-history.ts';
import type { Turn } from './interfaces/turn.ts';

export const HISTORY_INTERVAL_MS = 10_000;

export interface NoteHistoryDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'stats'>;
  readonly funnel: FunnelCounts;
  readonly history: PoolHistory;
  /** One of the servers keeps the history of all. */
  readonly turn: Pick<Turn, 'take'>;
  readonly clock: Clock;
}

/** One sample of each pool. Throws store_unavailable. */
export async function noteHistory(deps: NoteHistoryDeps): Promise<void> {
  const { catalogue, inventory, funnel, history, turn, clock } = deps;
  if (!(await turn.take(3 * HISTORY_INTERVAL_MS))) return;
  const templates = catalogue.all();
  const [stats, counts] = await Promise.all([inventory.stats(templates), funnel.read(1)]);
  const counted = (template: string, steps: readonly string[]): number =>
    counts.reduce((sum, each) => sum + (each.template === template && steps.includes(each.step) ? each.count : 0), 0);
  await Promise.all(
    templates.map(async ({ name }) => {
      const { ready = 0, assigned = 0, waiting = 0 } = stats.get(name) ?? {};
      await history.record(name, {
        ...{ v: POOL_SAMPLE_VERSION, atMs: clock.now(), ready, assigned, waiting },
        clicked: counted(name, ['clicked']),
        missed: counted(name, ['waited', 'refused']),
      });
    }),
  );
}
