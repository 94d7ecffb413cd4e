import { TASK_VERSION } from '../domain/task.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import type { TaskQueue } from './interfaces/task-queue.ts';
import type { StorageReserve } from './storage-reserve.ts';

export interface ReplenishDeps {
  readonly catalogue: Catalogue;
  readonly provisioningStore: ProvisioningStore;
  readonly queue: TaskQueue;
  /** Undefined: nobody looks after a disk here. */
  readonly storageReserve?: Pick<StorageReserve, 'low'>;
}

/**
 * One round: fills every pool up to its target, some of each in turn, so that nobody's large one keeps the others
 * waiting. Room that could not be queued for is given back, and the error thrown.
 */
export async function replenish(deps: ReplenishDeps, signal: AbortSignal): Promise<void> {
  if (deps.storageReserve?.low === true) return;
  let unfilled = deps.catalogue.all();
  while (unfilled.length > 0) {
    const more: Template[] = [];
    for (const template of unfilled) {
      if (signal.aborted) return;
      if (await refill(deps, template)) more.push(template);
    }
    unfilled = more;
  }
}

/** False when there is nothing more to reserve. */
async function refill({ provisioningStore, queue }: ReplenishDeps, template: Template): Promise<boolean> {
  const ids = await provisioningStore.reserveTickets(template);
  if (ids.length === 0) return false;
  try {
    await queue.publishProvision(
      ids.map((id) => ({ v: TASK_VERSION, kind: 'provision', id, template: template.name })),
    );
  } catch (error) {
    // A task that did get through finds no ticket and is dropped.
    await Promise.all(ids.map((id) => provisioningStore.cancelTicket(template.name, id)));
    throw error;
  }
  return true;
}
