import type { FleetNode } from '../domain/node.ts';
import { whyClosed } from '../domain/placement.ts';
import { discardTicket } from './dead-letter.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { NodeQueue } from './interfaces/node-queue.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import type { LeftoverTask } from './interfaces/task-queue.ts';
import type { ReleaseDeps } from './release.ts';

export interface RecallDeps extends ReleaseDeps {
  readonly provisioningStore: ProvisioningStore;
  readonly claimStore: ClaimStore;
  readonly nodeQueue: Pick<NodeQueue, 'recallable'>;
}

/**
 * Takes back what waits for nodes that begin nothing: the room is planned again, for another node. What a living node
 * has begun it finishes; of a silent one that is taken back as well. `trusted`: nodes that are left alone, since they
 * may only seem to be silent.
 */
export async function recallTickets(
  deps: RecallDeps,
  nodes: readonly FleetNode[],
  trusted: ReadonlySet<string>,
): Promise<void> {
  const known = new Map(nodes.map((node) => [node.name, node]));
  const keep = (name: string): boolean => {
    const node = known.get(name);
    return node !== undefined && (trusted.has(name) || whyClosed(node) === undefined);
  };
  const tasks = await deps.nodeQueue.recallable(keep);
  if (tasks.length === 0) return;
  const views = await deps.claimStore.findMany(tasks.flatMap(({ task }) => (task === undefined ? [] : [task.id])));
  const recalled: LeftoverTask[] = [];
  for (const leftover of tasks) {
    const { task, node } = leftover;
    if (task?.kind !== 'provision') continue;
    const record = views.get(task.id)?.instance;
    const silent = known.get(node)?.heartbeat === undefined;
    if (record !== undefined && !(silent && record.node === node)) continue;
    // One that is ready, or leaves by now, needs no ticket.
    if (record === undefined || record.state === 'warming') await discardTicket(deps, task);
    recalled.push(leftover);
  }
  const count = await deps.queue.discard(recalled);
  if (count > 0)
    deps.log.info(
      { tasks: count, nodes: [...new Set(tasks.map(({ node }) => node))] },
      'Refills of nodes that begin nothing were taken back, and are planned again',
    );
}
