import type { InstanceView } from '../pool/interfaces/claim-store.ts';
import type { Demos } from './demos.ts';

/** Whole seconds until the deadline by the store's clock, never negative; 0 for an instance nobody holds. */
export function secondsLeft({ instance, nowMs }: InstanceView): number {
  return instance.deadlineMs === null || instance.state !== 'assigned'
    ? 0
    : Math.max(0, Math.ceil((instance.deadlineMs - nowMs) / 1000));
}

/** When it ends unless it is used before, where that can happen; what the page warns of. */
export function unusedEnd(
  demos: Pick<Demos, 'unusedEndMs'>,
  view: InstanceView,
): { readonly unused_end_at?: string; readonly seconds_until_unused_end?: number } {
  const endMs = demos.unusedEndMs(view);
  if (endMs === undefined) return {};
  return {
    unused_end_at: new Date(endMs).toISOString(),
    seconds_until_unused_end: Math.max(0, Math.ceil((endMs - view.nowMs) / 1000)),
  };
}
