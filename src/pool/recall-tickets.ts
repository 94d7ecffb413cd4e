import type { FleetNode } from '../domain/node.ts';
import { obstacleTo, whyClosed } from '../domain/placement.ts';
import type { Catalogue } from '../domain/template.ts';
import { discardTicket } from './dead-letter.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { NodeQueue } from './interfaces/node-queue.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import type { LeftoverTask } from './interfaces/task-queue.ts';
import type { ReleaseDeps } from './release.ts';

export interface RecallDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly provisioningStore: ProvisioningStore;
  readonly claimStore: ClaimStore;
  readonly nodeQueue: Pick<NodeQueue, 'recallable'>;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
}

/**
 * Takes back what waits for nodes that begin nothing: the room is planned again, for another node. What a living node
 * has begun it finishes; of a lost one that is taken back as well. A node that is silent and not taken for lost may
 * only seem to be so, and is left alone; what waits for one that is cut off goes where it can be made right now.
 */
export async function recallTickets(deps: RecallDeps, nodes: readonly FleetNode[]): Promise<void> {
  if ((await deps.nodeQueue.recallable(keeping(nodes))).length === 0) return;
  // What was seen may be a moment old, and a node have come, or been given back, since.
  const now = await deps.registry.nodes();
  const tasks = await deps.nodeQueue.recallable(keeping(now));
  const known = new Map(now.map((node) => [node.name, node]));
  const canBeMade = (name: string): boolean => {
    const template = deps.catalogue.get(name);
    return template !== undefined && now.some((node) => obstacleTo(node, template) === undefined);
  };
  const views = await deps.claimStore.findMany(tasks.flatMap(({ task }) => (task === undefined ? [] : [task.id])));
  const recalled: LeftoverTask[] = [];
  for (const leftover of tasks) {
    const { task, node } = leftover;
    if (task?.kind !== 'provision') continue;
    const record = views.get(task.id)?.instance;
    const from = known.get(node);
    if (record !== undefined && !(from?.heartbeat === undefined && record.node === node)) continue;
    if (from !== undefined && whyClosed(from) === undefined && !canBeMade(task.template)) continue;
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

/** Of which nodes what waits stays: as far as they are known. */
function keeping(nodes: readonly FleetNode[]): (name: string) => boolean {
  const known = new Map(nodes.map((node) => [node.name, node]));
  return (name) => {
    const node = known.get(name);
    if (node === undefined) return false;
    if (node.heartbeat === undefined) return node.lostForMs === undefined;
    return whyClosed(node) === undefined && node.heartbeat.cutOff === undefined;
  };
}
