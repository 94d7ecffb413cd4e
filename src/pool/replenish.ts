import { TASK_VERSION } from '../domain/task.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Arrivals, TaskQueue } from './ports.ts';

/** One round: fills every pool up to its target. Room that could not be queued for is given back, and the error thrown. */
export async function replenish({ catalogue, arrivals, queue }: { readonly catalogue: Catalogue; readonly arrivals: Arrivals; readonly queue: TaskQueue }, signal: AbortSignal): Promise<void> {
  for (const template of catalogue.all()) {
    while (!signal.aborted) {
      const ids = await arrivals.reserve(template);
      if (ids.length === 0) break;
      try {
        await queue.publishProvision(ids.map((id) => ({ v: TASK_VERSION, kind: 'provision', id, template: template.name })));
      } catch (error) {
        // A task that did get through finds no ticket and is dropped.
        await Promise.all(ids.map((id) => arrivals.cancelTicket(template.name, id)));
        throw error;
      }
    }
  }
}
