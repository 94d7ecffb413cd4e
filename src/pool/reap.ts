import { discardTicket } from './dead-letter.ts';
import type { Clock } from '../domain/clock.ts';
import type { Catalogue } from '../domain/template.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { ProvisioningStore, TicketRef } from './interfaces/provisioning-store.ts';
import { queueCleanup, releaseInstance, type ReleaseDeps } from './release.ts';
import { orphanedTickets } from './detect-drift.ts';

export interface ReapDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly provisioningStore: ProvisioningStore;
  readonly inventory: Inventory;
  readonly claimStore: ClaimStore;
  readonly clock: Clock;
}

const BATCH = 200;

/**
 * One round: ends what is over, retires idle instances too old for a visit, and takes up what was left
 * lying, except on lost nodes.
 */
export async function reap(deps: ReapDeps, lost: ReadonlySet<string>): Promise<void> {
  const { cleanupStore, catalogue, observer, clock } = deps;

  const due = await cleanupStore.due(catalogue.all());
  if (due.expired.size > 0) {
    const expired = await cleanupStore.expired(BATCH);
    await Promise.all(
      expired.map(async (instance) => {
        const gone = await releaseInstance(deps, instance, 'expired', { from: ['assigned'], onlyIfExpired: true });
        if (gone !== undefined) observer.expiryLag(Math.max(0, clock.now() - (gone.deadlineMs ?? clock.now())));
      }),
    );
  }

  for (const template of catalogue.all().filter(({ name }) => due.aged.has(name))) {
    const aged = await cleanupStore.agedIdle(template, BATCH);
    await Promise.all(
      aged.map((instance) =>
        releaseInstance(deps, instance, 'retired', { from: ['ready'], generation: instance.generation }),
      ),
    );
  }

  for (const { name } of catalogue.all().filter((template) => due.drained.has(template.name))) {
    const drained = await cleanupStore.drainable(name, BATCH);
    await Promise.all(
      drained.map((instance) =>
        releaseInstance(deps, instance, 'drained', { from: ['ready', 'assigned'], generation: instance.generation }),
      ),
    );
  }

  if (due.overdue.size === 0) return;
  // Nobody would take them up, and they come up every half minute.
  for (const instance of await cleanupStore.overdue(BATCH)) if (!lost.has(instance.node)) queueCleanup(deps, instance);
}

/**
 * Where tasks may be lost: of this node at the start, when nobody is at a cleanup yet, and of every node when the
 * stream itself was. A second task for one cleanup does no harm.
 */
export async function resumeCleanups(
  deps: Pick<ReapDeps, 'inventory' | 'queue' | 'cleanupStore' | 'log'>,
  { node }: { readonly node?: string } = {},
): Promise<void> {
  for (const record of await deps.inventory.leaving()) {
    if (record.state === 'releasing' && (node === undefined || record.node === node)) queueCleanup(deps, record);
  }
}

/**
 * The room of tickets that nothing will come of is given back: at once when the queue holds no task at
 * all, else when their time is up. Apart from the rounds of `reap`, which must not wait for a queue
 * that is unavailable. Throws queue_unavailable.
 */
export async function settleTickets(deps: ReapDeps): Promise<void> {
  if (!(await deps.inventory.hasTickets())) return;
  for (const hopeless of [orphanedTickets, overdueTickets]) {
    for (const ticket of await hopeless(deps)) {
      await discardTicket(deps, ticket);
      deps.observer.repaired('ticket', 1);
    }
  }
}

/**
 * A ticket past its deadline was either begun by a worker that died, or its task waits in a long queue, or its task is
 * lost. Only the second kind may go on.
 */
async function overdueTickets({
  inventory,
  provisioningStore,
  claimStore,
  queue,
}: ReapDeps): Promise<readonly TicketRef[]> {
  const tickets = await inventory.expiredTickets();
  if (tickets.length === 0) return [];
  const begun = await claimStore.findMany(tickets.map(({ id }) => id));
  const queued = tickets.filter(({ id }) => !begun.has(id));
  if (queued.length === 0 || (await queue.provisions()).waiting === 0) return tickets;
  await provisioningStore.renewQueuedTickets(queued);
  return tickets.filter(({ id }) => begun.has(id));
}
