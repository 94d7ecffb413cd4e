import type { CleanupTask, ProvisionTask } from '../domain/task.ts';
import type { Arrivals, Takes } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';

/** What the queue gave up on. A template that keeps failing is paused, a container that cannot be removed is quarantined. */
export async function abandon(
  parts: ReleaseParts & { readonly arrivals: Arrivals; readonly takes: Takes },
  task: ProvisionTask | CleanupTask | undefined,
  reason: string,
): Promise<void> {
  if (task === undefined) return;
  switch (task.kind) {
    case 'provision': {
      await giveUpTicket(parts, task);
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

/** The record first, if a worker died over it: a ticket still finds what its record left, a record finds no ticket. */
export async function giveUpTicket(parts: ReleaseParts & { readonly arrivals: Arrivals; readonly takes: Takes }, { template, id }: { readonly template: string; readonly id: string }): Promise<void> {
  const view = await parts.takes.find(id);
  if (view !== undefined) await sendAway(parts, view.instance, 'provision_failed', { from: ['warming'] });
  await parts.arrivals.cancelTicket(template, id);
}
