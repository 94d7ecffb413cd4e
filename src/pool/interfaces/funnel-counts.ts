import type { VisitStep } from '../../domain/visit-event.ts';

export interface FunnelCount {
  /** `2026-11-28`, in UTC. */
  readonly day: string;
  readonly template: string;
  readonly site: string;
  readonly step: VisitStep;
  /** Of `ended`: why. */
  readonly reason: string | undefined;
  readonly count: number;
}

/** How often each step of a visit was taken, kept for 90 days. */
export interface FunnelCounts {
  /** Of so many days up to today. Throws store_unavailable. */
  read(days: number): Promise<readonly FunnelCount[]>;
}
