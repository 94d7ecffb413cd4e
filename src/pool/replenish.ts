import { TASK_VERSION } from '../domain/task.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { Arrivals, TaskQueue } from './ports.ts';

export interface ReplenishParts {
  readonly catalogue: Catalogue;
  readonly arrivals: Arrivals;
  readonly queue: TaskQueue;
}

/**
 * One round: fills every pool up to its target, some of each in turn, so that nobody's large one keeps the others waiting.
 * Room that could not be queued for is given back, and the error thrown.
 */
export async function replenish(parts: ReplenishParts, signal: AbortSignal): Promise<void> {
  let unfilled = parts.catalogue.all();
  while (unfilled.length > 0) {
    const more: Template[] = [];
    for (const template of unfilled) {
      if (signal.aborted) return;
      if (await refill(parts, template)) more.push(template);
    }
    unfilled = more;
  }
}

/** False when there is nothing more to reserve. */
async function refill({ arrivals, queue }: ReplenishParts, template: Template): Promise<boolean> {
  const ids = await arrivals.reserve(template);
  if (ids.length === 0) return false;
  try {
    await queue.publishProvision(
      ids.map((id) => ({ v: TASK_VERSION, kind: 'provision', id, template: template.name })),
    );
  } catch (error) {
    // A task that did get through finds no ticket and is dropped.
    await Promise.all(ids.map((id) => arrivals.cancelTicket(template.name, id)));
    throw error;
  }
  return true;
}
