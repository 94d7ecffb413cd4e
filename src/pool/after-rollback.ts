import type { Instance } from '../domain/instance.ts';
import { queueCleanup, type ReleaseDeps } from './release.ts';

/**
 * The store came back with older data and has retired these idle instances: they are removed at once,
 * and new ones are made.
 */
export function afterRollback(deps: ReleaseDeps, retired: readonly Instance[]): void {
  for (const instance of retired) {
    deps.observer.release(instance.template, 'store_rolled_back');
    queueCleanup(deps, instance);
  }
  deps.requestRefill();
}
