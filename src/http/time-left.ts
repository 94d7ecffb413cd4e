import type { InstanceView } from '../pool/interfaces/claim-store.ts';

/** Whole seconds until the deadline by the store's clock, never negative; 0 for an instance nobody holds. */
export function secondsLeft({ instance, nowMs }: InstanceView): number {
  return instance.deadlineMs === null || instance.state !== 'assigned'
    ? 0
    : Math.max(0, Math.ceil((instance.deadlineMs - nowMs) / 1000));
}
