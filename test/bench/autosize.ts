import { launchSpike, classAtNine, officeHours, type ArrivalTrace } from './arrival-traces.ts';
import { figure, percentile, type Figure } from './figures.ts';
import { replayAutosized, replayFixed, type PoolOutcome } from './simulated-pool.ts';

const COVER = 0.95;

/** Traces on simulated time, through the code that decides, against the smallest fixed pool that serves as well. */
export function benchAutosize(): Promise<Figure[]> {
  const traces = [launchSpike(), officeHours(), classAtNine(true), classAtNine(false)];
  const rows: Record<string, string | number>[] = [];
  const figures = traces.flatMap((trace) => {
    const sized = replayAutosized(trace, { min: 1, max: 60, cover: COVER, schedule: [] });
    const { target, outcome } = smallestFixed(trace);
    rows.push(row(trace, 'autosize', sized), row(trace, `fixed ${target}`, outcome));
    return [
      figure(`${trace.name}: served warm`, (100 * sized.warm) / sized.clicks, '%', { atLeast: 100 * COVER }),
      figure(
        `${trace.name}: instance-hours of those of a fixed ${target}`,
        (100 * sized.instanceHours) / outcome.instanceHours,
        '%',
        { atMost: 70 },
      ),
    ];
  });
  console.table(rows);
  return Promise.resolve(figures);
}

function smallestFixed(trace: ArrivalTrace): { readonly target: number; readonly outcome: PoolOutcome } {
  for (let target = 1; ; target += 1) {
    const outcome = replayFixed(trace, target);
    if (outcome.warm >= COVER * outcome.clicks) return { target, outcome };
  }
}

function row({ name }: ArrivalTrace, pool: string, { clicks, warm, waitsMs, instanceHours, largest }: PoolOutcome) {
  return {
    trace: name,
    pool,
    clicks,
    'warm %': Math.round((1000 * warm) / clicks) / 10,
    'waited p50 s': waitsMs.length === 0 ? 0 : Math.round(percentile(waitsMs, 0.5) / 100) / 10,
    'longest wait s': Math.round(Math.max(0, ...waitsMs) / 100) / 10,
    'instance-hours': Math.round(instanceHours),
    'largest target': largest,
  };
}
