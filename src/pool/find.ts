import { TryItNowError } from '../domain/errors.ts';
import type { InstanceView, ClaimStore } from './interfaces/claim-store.ts';

/**
 * An instance that was handed to somebody. An idle instance is nobody's business yet, so it
 * counts as unknown. Throws unknown_instance.
 */
export async function find(claimStore: ClaimStore, id: string): Promise<InstanceView> {
  const view = await claimStore.find(id);
  if (view === undefined || view.instance.assignedAtMs === null)
    throw new TryItNowError('unknown_instance', `there is no instance ${id}; it may have ended`);
  return view;
}

/** As `find`, for many in one go; what would be unknown is left out. */
export async function findMany(
  claimStore: ClaimStore,
  ids: readonly string[],
): Promise<ReadonlyMap<string, InstanceView>> {
  const views = await claimStore.findMany(ids);
  return new Map([...views].filter(([, { instance }]) => instance.assignedAtMs !== null));
}
