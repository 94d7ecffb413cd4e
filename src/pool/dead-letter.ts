import type { CleanupTask, ProvisionTask } from '../domain/task.ts';
import type { Catalogue } from '../domain/template.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

/** What the queue dead-lettered. An attempt that was seen to fail has been counted against its template already. */
export async function handleDeadLetter(
  deps: ReleaseDeps & {
    readonly provisioningStore: ProvisioningStore;
    readonly claimStore: ClaimStore;
    readonly catalogue: Catalogue;
  },
  task: ProvisionTask | CleanupTask | undefined,
  reason: string,
  unseen: boolean,
): Promise<void> {
  if (task === undefined) return;
  switch (task.kind) {
    case 'provision': {
      await discardTicket(deps, task);
      const pauseMs = unseen
        ? (await deps.provisioningStore.recordFailure(task.template, deps.catalogue.version(task.template) ?? ''))
            .pauseMs
        : undefined;
      deps.log.error(
        { instance: task.id, template: task.template, pauseMs, reason },
        'Provision task dead-lettered; its room is free for another instance',
      );
      return;
    }
    case 'cleanup': {
      const view = await deps.claimStore.find(task.id);
      if (view?.instance.state === 'releasing') await deps.cleanupStore.quarantine(view.instance, reason);
      deps.log.error(
        { instance: task.id, reason },
        'Cleanup task dead-lettered; the instance is quarantined and tried again later',
      );
    }
  }
}

/** The record first, if a worker died over it: a ticket still finds what its record left, a record finds no ticket. */
export async function discardTicket(
  deps: ReleaseDeps & { readonly provisioningStore: ProvisioningStore; readonly claimStore: ClaimStore },
  { template, id }: { readonly template: string; readonly id: string },
): Promise<void> {
  const view = await deps.claimStore.find(id);
  if (view !== undefined) await releaseInstance(deps, view.instance, 'provision_failed', { from: ['warming'] });
  await deps.provisioningStore.cancelTickets(template, [id]);
  deps.requestRefill();
}
