import { TryItNowError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { FleetNode, NodeMode } from '../domain/node.ts';
import { avoidances, type Avoidance } from '../domain/placement.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Inventory, NodeCounts } from './interfaces/inventory.ts';
import type { NodeQueue } from './interfaces/node-queue.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import type { ReleaseDeps } from './release.ts';

export interface NodeSnapshotsDeps {
  readonly catalogue: Catalogue;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly inventory: Pick<Inventory, 'countByNode'>;
}

export interface OperateNodesDeps extends ReleaseDeps, NodeSnapshotsDeps {
  readonly registry: Pick<NodeRegistry, 'nodes' | 'node' | 'control' | 'remove'>;
  readonly inventory: Pick<Inventory, 'list' | 'countByNode'>;
  readonly nodeQueue: Pick<NodeQueue, 'forgetNode'>;
  readonly provisioningStore: Pick<ProvisioningStore, 'cancelTickets'>;
}

/** One node as an operator sees it. */
export interface NodeSnapshot extends FleetNode {
  /** `drained`: it is to be emptied, and is empty. */
  readonly state: NodeMode | 'drained';
  readonly instances: NodeCounts;
  /** What speaks against it, by template; those that nothing speaks against are left out. */
  readonly obstacles: ReadonlyMap<string, Avoidance>;
}

/** Until what visitors hold on a drained node is ended, if nobody says otherwise. */
const DRAIN_WITHIN_MS = 30 * 60_000;
const NOTHING: NodeCounts = { warming: 0, ready: 0, assigned: 0, leaving: 0 };

/** By name. Throws store_unavailable. */
export async function listNodes({
  registry,
  inventory,
  catalogue,
}: NodeSnapshotsDeps): Promise<readonly NodeSnapshot[]> {
  const nodes = await registry.nodes();
  const counts = await inventory.countByNode(nodes.map(({ name }) => name));
  const obstacles = obstaclesAmong(nodes, catalogue);
  return nodes.map((node) => snapshot(node, counts.get(node.name) ?? NOTHING, obstacles));
}

/** Throws unknown_node. */
export async function showNode(deps: OperateNodesDeps, name: string): Promise<NodeSnapshot> {
  const node = await known(deps, name);
  const [counts, nodes] = await Promise.all([deps.inventory.countByNode([name]), deps.registry.nodes()]);
  return snapshot(node, counts.get(name) ?? NOTHING, obstaclesAmong(nodes, deps.catalogue));
}

/** It gets no new instances; what is ready there may still be handed out. Throws unknown_node. */
export async function cordonNode(deps: OperateNodesDeps, name: string): Promise<NodeSnapshot> {
  return control(deps, name, 'cordoned');
}

/**
 * As a cordon, and what is ready there goes as soon as others are ready elsewhere. What visitors hold there ends by
 * itself, or `withinMs`. Throws unknown_node.
 */
export async function drainNode(
  deps: OperateNodesDeps,
  name: string,
  withinMs = DRAIN_WITHIN_MS,
): Promise<NodeSnapshot> {
  return control(deps, name, 'draining', withinMs);
}

/** It gets instances again. Throws unknown_node. */
export async function uncordonNode(deps: OperateNodesDeps, name: string): Promise<NodeSnapshot> {
  return control(deps, name, 'active');
}

/**
 * Forgets a node whose host is gone: its ports, its queue, and with `force` its instances, although nobody can reach
 * them. Should it come back, its reconciler removes their containers. Throws unknown_node, node_alive, node_in_use.
 */
export async function removeNode(
  deps: OperateNodesDeps,
  name: string,
  force: boolean,
): Promise<{ readonly settled: number }> {
  const { registry, inventory, nodeQueue, catalogue } = deps;
  if ((await known(deps, name)).heartbeatAgeMs !== undefined) throw alive(name);
  const records = (await inventory.list()).filter(({ node }) => node === name);
  if (records.length > 0 && !force)
    throw new TryItNowError(
      'node_in_use',
      `${records.length} instances are recorded on node ${name}; drain it while its host still answers, or discard ` +
        `them with \`try-it-now nodes remove ${name} --force\``,
      { details: { instances: records.length } },
    );
  for (const record of records) await settle(deps, record);
  const templates = catalogue.all().map((template) => template.name);
  if (!(await registry.remove(name, templates))) throw alive(name);
  await nodeQueue.forgetNode(name);
  deps.requestRefill();
  return { settled: records.length };
}

/** As its cleanup would, but for what lies on the host: nothing there is named by any record afterwards. */
async function settle(deps: OperateNodesDeps, record: Instance): Promise<void> {
  const { cleanupStore, provisioningStore, observer } = deps;
  const { kind } = await cleanupStore.release(record, 'node_lost', {
    from: ['warming', 'ready', 'assigned', 'quarantined'],
  });
  if (kind === 'releasing') observer.release(record.template, 'node_lost');
  if (record.state === 'warming') await provisioningStore.cancelTickets(record.template, [record.id]);
  await cleanupStore.recordContainerGone(record);
  if (record.database !== null) await cleanupStore.recordDatabaseDropped(record);
  await cleanupStore.coolPort(record);
  await cleanupStore.deleteRecord(record);
}

function alive(name: string): TryItNowError {
  return new TryItNowError(
    'node_alive',
    `Node ${name} is alive; drain it (\`try-it-now nodes drain ${name}\`), stop what runs there, and remove it when ` +
      'it has been silent for 12 s',
  );
}

async function control(deps: OperateNodesDeps, name: string, mode: NodeMode, withinMs?: number): Promise<NodeSnapshot> {
  await known(deps, name);
  await deps.registry.control(name, mode, withinMs);
  deps.requestRefill();
  return showNode(deps, name);
}

async function known({ registry }: OperateNodesDeps, name: string): Promise<FleetNode> {
  const node = await registry.node(name);
  if (node === undefined)
    throw new TryItNowError(
      'unknown_node',
      `There is no node named ${JSON.stringify(name.slice(0, 64))}; \`try-it-now nodes list\` shows those there are`,
    );
  return node;
}

/** By template, and the name of the node. */
type Obstacles = ReadonlyMap<string, ReadonlyMap<string, Avoidance>>;

function obstaclesAmong(nodes: readonly FleetNode[], catalogue: Catalogue): Obstacles {
  return new Map(catalogue.all().map((template) => [template.name, avoidances(nodes, template)]));
}

function snapshot(node: FleetNode, counts: NodeCounts, obstacles: Obstacles): NodeSnapshot {
  const isEmpty = node.held === 0 && node.placed === 0;
  return {
    ...node,
    state: node.control.mode === 'draining' && isEmpty ? 'drained' : node.control.mode,
    instances: { ...counts, warming: counts.warming + node.placed },
    obstacles: new Map(
      [...obstacles].flatMap(([template, byNode]) => {
        const obstacle = byNode.get(node.name);
        return obstacle === undefined ? [] : [[template, obstacle] as const];
      }),
    ),
  };
}
