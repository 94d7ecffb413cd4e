import { TryItNowError } from '../domain/errors.ts';
import { discardTicket } from './dead-letter.ts';
import type { DeadTask, PurgeTarget, QueueAdmin, QueuedTask } from './interfaces/queue-admin.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import type { ReleaseDeps } from './release.ts';

export interface OperateQueueDeps extends ReleaseDeps {
  readonly queueAdmin: QueueAdmin;
  readonly provisioningStore: ProvisioningStore;
  readonly claimStore: ClaimStore;
  readonly inventory: Pick<Inventory, 'idleTickets'>;
}

/** Its room is given back at once; a cleanup comes again from the reaper, when it is overdue. Throws unknown_task. */
export async function dropTask(deps: OperateQueueDeps, sequence: number): Promise<QueuedTask> {
  const task = await deps.queueAdmin.drop(sequence);
  if (task === undefined) throw unknownTask(sequence, 'in the queue');
  const { kind, id, template } = task;
  if (kind === 'provision' && id !== undefined && template !== undefined) await discardTicket(deps, { id, template });
  return task;
}

/** Throws unknown_task. */
export async function retryTask(deps: OperateQueueDeps, sequence: number): Promise<DeadTask> {
  const task = await deps.queueAdmin.retry(sequence);
  if (task === undefined) throw unknownTask(sequence, 'among the dead ones');
  return task;
}

/** Throws unknown_task. */
export async function forgetDeadTask(deps: OperateQueueDeps, sequence: number): Promise<DeadTask> {
  const task = await deps.queueAdmin.delete(sequence);
  if (task === undefined) throw unknownTask(sequence, 'among the dead ones');
  return task;
}

/**
 * Returns how many tasks were discarded. The room of purged provisions is given back at once, so that the pools refill.
 */
export async function purgeQueue(deps: OperateQueueDeps, which: PurgeTarget): Promise<number> {
  const purged = await deps.queueAdmin.purge(which);
  if (which === 'provision') await giveBackTickets(deps);
  return purged;
}

/**
 * A refill that is being published just now finds its ticket gone, and its task is dropped: the next
 * refill makes up for it.
 */
async function giveBackTickets(deps: OperateQueueDeps): Promise<void> {
  // All of them first: a refill in between would have its new tickets given back too.
  const later = { ...deps, requestRefill: () => undefined };
  const given = new Set<string>();
  for (;;) {
    const tickets = (await deps.inventory.idleTickets({ newOnesToo: true })).filter(({ id }) => !given.has(id));
    if (tickets.length === 0) break;
    for (const ticket of tickets) {
      await discardTicket(later, ticket);
      given.add(ticket.id);
    }
  }
  deps.requestRefill();
}

function unknownTask(sequence: number, where: string): TryItNowError {
  return new TryItNowError(
    'unknown_task',
    `There is no task ${sequence} ${where}; it may be done, or was taken out before`,
  );
}
