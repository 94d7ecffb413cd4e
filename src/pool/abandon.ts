import type { Log } from '../domain/log.ts';
import type { CleanupTask, ProvisionTask } from '../domain/task.ts';
import type { Arrivals, Departures, Takes } from './ports.ts';

/** What the queue gave up on. A template that keeps failing is paused, a container that cannot be removed is quarantined. */
export async function abandon(
  parts: { readonly arrivals: Arrivals; readonly departures: Departures; readonly takes: Takes; readonly log: Log },
  task: ProvisionTask | CleanupTask | undefined,
  reason: string,
): Promise<void> {
  if (task === undefined) return;
  switch (task.kind) {
    case 'provision': {
      await parts.arrivals.cancelTicket(task.template, task.id);
      const pauseMs = await parts.arrivals.recordFailure(task.template);
      parts.log.error({ instance: task.id, template: task.template, pauseMs, reason }, 'Provision given up; the template is not refilled for a while');
      return;
    }
    case 'cleanup': {
      const view = await parts.takes.find(task.id);
      if (view?.instance.state === 'releasing') await parts.departures.quarantine(view.instance, reason);
      parts.log.error({ instance: task.id, reason }, 'Cleanup given up; the instance is quarantined and tried again later');
    }
  }
}
