import type { FleetNode, Heartbeat, NodeMode } from '../../domain/node.ts';
import type { ContainerRuntime } from './container-runtime.ts';

/** What is known of nodes. Everything may throw store_unavailable. */
export interface NodeRegistry {
  /** Tells where this node's instances are reached, and what runs them. */
  announce(engine: ContainerRuntime['engine']): Promise<void>;
  /** What ran this node's instances when it was last announced; undefined for one that never was. */
  engine(): Promise<ContainerRuntime['engine'] | undefined>;
  /** This node is alive, and like this; it counts for HEARTBEAT_LIFE_MS, and is lost no longer. */
  beat(heartbeat: Heartbeat): Promise<{ readonly wasLost: boolean }>;
  /** Takes the node for lost, until its next heartbeat. False when it is alive, or taken for lost already. */
  noteLoss(name: string): Promise<boolean>;
  /**
   * Every node that was ever announced and not removed, by name; as this process last looked, where that was no longer
   * ago than `atMostAgoMs` (0).
   */
  nodes(atMostAgoMs?: number): Promise<readonly FleetNode[]>;
  /** Undefined for a node that was never announced. */
  node(name: string): Promise<FleetNode | undefined>;
  /** `withinMs`: when a drain ends what is left. */
  control(name: string, mode: NodeMode, withinMs?: number): Promise<void>;
  /** These tickets go to the node: they count there until they have a port. */
  place(name: string, tickets: readonly string[]): Promise<void>;
  /** Forgets everything that is kept of the node but its instances. False, and nothing done, while it is alive. */
  remove(name: string, templates: readonly string[]): Promise<boolean>;
}
