import { TryItNowError } from '../domain/errors.ts';
import { giveUpTicket } from './abandon.ts';
import type { BuriedTask, Purgeable, QueueDesk, QueuedTask } from './operator-ports.ts';
import type { Arrivals, Census, Takes } from './ports.ts';
import type { ReleaseParts } from './release.ts';

export interface OperateQueueParts extends ReleaseParts {
  readonly desk: QueueDesk;
  readonly arrivals: Arrivals;
  readonly takes: Takes;
  readonly census: Pick<Census, 'idleTickets'>;
}

/** Its room is given back at once; a cleanup comes again from the reaper, when it is overdue. Throws unknown_task. */
export async function dropTask(parts: OperateQueueParts, sequence: number): Promise<QueuedTask> {
  const task = await parts.desk.drop(sequence);
  if (task === undefined) throw unknownTask(sequence, 'in the queue');
  const { kind, id, template } = task;
  if (kind === 'provision' && id !== undefined && template !== undefined) await giveUpTicket(parts, { id, template });
  return task;
}

/** Throws unknown_task. */
export async function retryTask(parts: OperateQueueParts, sequence: number): Promise<BuriedTask> {
  const task = await parts.desk.retry(sequence);
  if (task === undefined) throw unknownTask(sequence, 'among the dead ones');
  return task;
}

/** Throws unknown_task. */
export async function forgetDeadTask(parts: OperateQueueParts, sequence: number): Promise<BuriedTask> {
  const task = await parts.desk.forget(sequence);
  if (task === undefined) throw unknownTask(sequence, 'among the dead ones');
  return task;
}

/** Returns how many tasks were thrown away. The room of purged provisions is given back at once, so that the pools refill. */
export async function purgeQueue(parts: OperateQueueParts, which: Purgeable): Promise<number> {
  const purged = await parts.desk.purge(which);
  if (which === 'provision') await giveBackTickets(parts);
  return purged;
}

/** A refill that is being published just now finds its ticket gone, and its task is dropped: the next refill makes up for it. */
async function giveBackTickets(parts: OperateQueueParts): Promise<void> {
  // All of them first: a refill in between would have its new tickets given back too.
  const later = { ...parts, onDemand: () => undefined };
  const given = new Set<string>();
  for (;;) {
    const tickets = (await parts.census.idleTickets({ newOnesToo: true })).filter(({ id }) => !given.has(id));
    if (tickets.length === 0) break;
    for (const ticket of tickets) {
      await giveUpTicket(later, ticket);
      given.add(ticket.id);
    }
  }
  parts.onDemand();
}

function unknownTask(sequence: number, where: string): TryItNowError {
  return new TryItNowError(
    'unknown_task',
    `There is no task ${sequence} ${where}; it may be done, or was taken out before`,
  );
}
