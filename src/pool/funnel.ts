import { VISIT_STEPS, type VisitStep } from '../domain/visit-event.ts';
import type { FunnelCounts } from './interfaces/funnel-counts.ts';

/** What came of the clicks of one site on one template. */
export interface FunnelRow {
  readonly template: string;
  readonly site: string;
  /** Every step, those that nobody took included. */
  readonly steps: Readonly<Record<VisitStep, number>>;
  /** The ends, by why. */
  readonly endedBy: Readonly<Record<string, number>>;
}

/** Of so many days up to today, by template and site. Throws store_unavailable. */
export async function funnelOf(deps: { readonly funnel: FunnelCounts }, days: number): Promise<readonly FunnelRow[]> {
  const rows = new Map<string, { steps: Record<VisitStep, number>; endedBy: Record<string, number> } & FunnelRow>();
  for (const { template, site, step, reason, count } of await deps.funnel.read(days)) {
    const key = `${template} ${site}`;
    const row = rows.get(key) ?? { template, site, steps: noSteps(), endedBy: {} };
    rows.set(key, row);
    row.steps[step] += count;
    if (reason !== undefined) row.endedBy[reason] = (row.endedBy[reason] ?? 0) + count;
  }
  return [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function noSteps(): Record<VisitStep, number> {
  return Object.fromEntries(VISIT_STEPS.map((step) => [step, 0])) as Record<VisitStep, number>;
}
