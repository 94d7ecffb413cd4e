import type { FleetNode, Heartbeat } from './node.ts';
import type { Template } from './template.ts';

/** `spread`: each node as full as the others. `pack`: one after the other, so that some stay empty. */
export const PLACEMENT_STRATEGIES = ['spread', 'pack'] as const;
export type PlacementStrategy = (typeof PLACEMENT_STRATEGIES)[number];

/**
 * Of a host's memory: with less available, the next instance may cost another one its life, and what instances share
 * comes apart as visitors use them.
 */
export const MEMORY_RESERVE = 0.04;

/** So often lost, a node is given nothing while others can: each time its instances would have to be made again. */
export const COMES_AND_GOES = 2;

/** Why a node gets no instance of a template. */
export interface Obstacle {
  /** A clause for people. */
  readonly reason: string;
  /**
   * False: it is avoided while another node can. Where none can, it is tried there all the same, so that the failure is
   * told, counted and passes as on a single host.
   */
  readonly strict: boolean;
}

/** What placement has to know of a template. */
export type Demand = Pick<Template, 'name' | 'nodes'>;

/** Undefined: nothing speaks against it. */
export function obstacleTo(node: FleetNode, template: Demand): Obstacle | undefined {
  const strict = whyClosed(node) ?? full(node) ?? unlabelled(node, template);
  if (strict !== undefined) return { reason: strict, strict: true };
  const { heartbeat } = node;
  const why = heartbeat?.templates[template.name];
  if (why === undefined) return { reason: 'it does not offer this template', strict: true };
  if (why !== '') return { reason: why, strict: false };
  const { cutOff } = heartbeat ?? {};
  if (cutOff !== undefined) return { reason: cutOff, strict: false };
  if (node.losses >= COMES_AND_GOES) return { reason: `it was lost ${node.losses} times of late`, strict: false };
  if (node.freePorts <= node.placed) return { reason: 'it has no free port', strict: false };
  return undefined;
}

/** What speaks against a node among others, and what comes of it. */
export interface Avoidance {
  /** A clause for people. */
  readonly reason: string;
  /** It is given instances all the same, as something speaks against every node. */
  readonly lastResort: boolean;
}

/** Of the nodes that something speaks against, by their name. */
export function avoidances(nodes: readonly FleetNode[], template: Demand): ReadonlyMap<string, Avoidance> {
  const obstacles = new Map<string, Obstacle>();
  for (const node of nodes) {
    const obstacle = obstacleTo(node, template);
    if (obstacle !== undefined) obstacles.set(node.name, obstacle);
  }
  const canOthers = obstacles.size < nodes.length;
  return new Map(
    [...obstacles].map(([name, { reason, strict }]) => [name, { reason, lastResort: !strict && !canOthers }]),
  );
}

/** Those that an instance is given to: ones that are avoided only where no other can. */
export function placeable(nodes: readonly FleetNode[], template: Demand): readonly FleetNode[] {
  const avoided = avoidances(nodes, template);
  return nodes.filter(({ name }) => avoided.get(name)?.lastResort !== false);
}

/** Why a node begins nothing whatever the template: what waits for it is planned again elsewhere. */
export function whyClosed({ heartbeat, control }: FleetNode): string | undefined {
  if (heartbeat === undefined) return 'it is silent';
  if (control.mode !== 'active') return control.mode === 'cordoned' ? 'it is cordoned' : 'it is being drained';
  return heartbeat.disk?.low === true ? 'its disk is nearly full' : undefined;
}

function full({ heartbeat, held, placed }: FleetNode): string | undefined {
  const capacity = heartbeat?.capacity;
  if (capacity !== undefined && held + placed >= capacity) return `it holds as many instances as it may (${capacity})`;
  return heartbeat !== undefined && isShortOfMemory(heartbeat) ? 'next to no memory is available' : undefined;
}

/** Nothing is started then: a refill waits rather than have the kernel end what visitors use. */
export function isShortOfMemory({ memory }: Pick<Heartbeat, 'memory'>): boolean {
  return memory !== undefined && memory.available < memory.total * MEMORY_RESERVE;
}

function unlabelled({ heartbeat }: FleetNode, { nodes }: Demand): string | undefined {
  const missing = nodes.filter((label) => heartbeat?.labels.includes(label) !== true);
  return missing.length === 0 ? undefined : `it lacks the label ${missing.join(', ')}`;
}
