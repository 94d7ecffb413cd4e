import type { Instance } from '../domain/instance.ts';
import { queueCleanup, type ReleaseParts } from './release.ts';

/** The store came back with older data and has retired this stock: it is taken down at once, and new stock is made. */
export function afterRollback(parts: ReleaseParts, retired: readonly Instance[]): void {
  for (const instance of retired) {
    parts.observer.release(instance.template, 'store_rolled_back');
    queueCleanup(parts, instance);
  }
  parts.onDemand();
}
