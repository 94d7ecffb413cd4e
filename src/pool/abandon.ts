import type { CleanupTask, ProvisionTask } from '../domain/task.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Arrivals, Takes } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';

/** What the queue gave up on. An attempt that was seen to fail has been counted against its template already. */
export async function abandon(
  parts: ReleaseParts & { readonly arrivals: Arrivals; readonly takes: Takes; readonly catalogue: Catalogue },
  task: ProvisionTask | CleanupTask | undefined,
  reason: string,
  unseen: boolean,
): Promise<void> {
  if (task === undefined) return;
  switch (task.kind) {
    case 'provision': {
      await giveUpTicket(parts, task);
      const pauseMs = unseen
        ? (await parts.arrivals.recordFailure(task.template, parts.catalogue.version(task.template) ?? '')).pauseMs
        : undefined;
      parts.log.error(
        { instance: task.id, template: task.template, pauseMs, reason },
        'Provision given up; its room is free for another instance',
      );
      return;
    }
    case 'cleanup': {
      const view = await parts.takes.find(task.id);
      if (view?.instance.state === 'releasing') await parts.departures.quarantine(view.instance, reason);
      parts.log.error(
        { instance: task.id, reason },
        'Cleanup given up; the instance is quarantined and tried again later',
      );
    }
  }
}

/** The record first, if a worker died over it: a ticket still finds what its record left, a record finds no ticket. */
export async function giveUpTicket(
  parts: ReleaseParts & { readonly arrivals: Arrivals; readonly takes: Takes },
  { template, id }: { readonly template: string; readonly id: string },
): Promise<void> {
  const view = await parts.takes.find(id);
  if (view !== undefined) await sendAway(parts, view.instance, 'provision_failed', { from: ['warming'] });
  await parts.arrivals.cancelTicket(template, id);
  parts.onDemand();
}
