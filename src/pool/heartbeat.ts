import { cpus, release } from 'node:os';
import { HEARTBEAT_VERSION, NO_NODE, type Heartbeat } from '../domain/node.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import type { CheckpointCarrier } from './carry-checkpoints.ts';
import type { CheckpointsHere } from './checkpoints-here.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Turn } from './interfaces/turn.ts';
import type { OwnName } from './own-name.ts';
import type { StorageReserve } from './storage-reserve.ts';
import type { TemplateFitness } from './template-fitness.ts';

export interface HeartbeatDeps {
  readonly registry: Pick<NodeRegistry, 'node'>;
  readonly ownName: Pick<OwnName, 'say'>;
  readonly catalogue: Catalogue;
  readonly runtime: Pick<ContainerRuntime, 'engine'>;
  /** Undefined while it is not known. */
  readonly engineVersion: () => string | undefined;
  readonly fitness: Pick<TemplateFitness, 'whyNot'>;
  readonly consumption: Pick<Consumption, 'memory'> | undefined;
  readonly storageReserve: Pick<StorageReserve, 'low' | 'room'>;
  /** Undefined: every instance is started cold. */
  readonly checkpoints: Pick<CheckpointsHere, 'ids'> | undefined;
  /** Undefined: nothing is restored here. */
  readonly carrier: Pick<CheckpointCarrier, 'arrivals'> | undefined;
  /** Of looking after the node: whoever does knows how its checkpoints arrive. */
  readonly leads: Pick<Turn, 'held'>;
  readonly node: {
    readonly name: string;
    readonly address: string;
    readonly labels: readonly string[];
    readonly proxies: readonly string[];
    readonly capacity: number | undefined;
  };
  /** Whether tasks reach this node. */
  readonly queueAnswers: () => Promise<boolean>;
  readonly requestReconcile: () => void;
  readonly log: Log;
  readonly portRange: { readonly start: number; readonly end: number };
  readonly program: string;
}

const REASON_LENGTH = 300;
/** The newest; a node keeps some for each template. */
const CHECKPOINTS_NAMED = 200;

/**
 * Says once that this node is alive, and what it has and can. One that was taken for lost puts right what was recorded
 * of it meanwhile. Throws store_unavailable, invalid_config where another host has the node's name, and shutting_down
 * where it is told to stop before that is known. Nothing else: whatever else fails on the node, it is alive.
 */
export async function beat(deps: HeartbeatDeps, stopping?: AbortSignal): Promise<void> {
  // Who holds no instances says nothing: it is no node.
  if (deps.node.name === NO_NODE) return;
  const { wasLost } = await deps.ownName.say(() => heartbeatOf(deps), stopping);
  if (!wasLost) return;
  deps.log.warn({ node: deps.node.name }, 'This node was taken for lost meanwhile; what it had ready was withdrawn');
  deps.requestReconcile();
}

async function heartbeatOf({
  registry,
  catalogue,
  runtime,
  engineVersion,
  fitness,
  consumption,
  storageReserve: { room, low },
  checkpoints,
  queueAnswers,
  carrier,
  leads,
  node,
  portRange,
  program,
}: HeartbeatDeps): Promise<Heartbeat> {
  const memory = await consumption?.memory();
  const version = engineVersion();
  const arrivals = leads.held ? carrier?.arrivals() : (await registry.node(node.name))?.heartbeat?.arrivals;
  const stored = (await checkpoints?.ids()) ?? [];
  const isCutOff = !(await queueAnswers());
  return {
    v: HEARTBEAT_VERSION,
    address: node.address,
    engine: runtime.engine,
    ...(version === undefined ? {} : { engineVersion: version }),
    kernel: release(),
    program,
    labels: [...node.labels],
    proxies: [...node.proxies],
    cpus: cpus().length,
    ...(memory === undefined ? {} : { memory }),
    ...(room === undefined ? {} : { disk: { total: room.total.bytes, free: room.free.bytes, low } }),
    ports: portRange.end - portRange.start + 1,
    ...(node.capacity === undefined ? {} : { capacity: node.capacity }),
    templates: Object.fromEntries(
      catalogue.all().map((template) => [template.name, fitness.whyNot(template).slice(0, REASON_LENGTH)]),
    ),
    checkpoints: stored.slice(0, CHECKPOINTS_NAMED),
    ...(isCutOff ? { cutOff: 'NATS does not answer it, so that it can be given no tasks' } : {}),
    ...(arrivals === undefined ? {} : { arrivals }),
  };
}
