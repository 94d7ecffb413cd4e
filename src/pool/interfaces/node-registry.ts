import type { FleetNode, Heartbeat, NodeMode } from '../../domain/node.ts';
import type { ContainerRuntime } from './container-runtime.ts';

/** The last heartbeat that was heard under a node's name. */
export interface LastHeard {
  readonly text: string;
  /** Which kernel its host runs, since when; undefined where it does not say. */
  readonly boot: string | undefined;
  readonly host: string | undefined;
  readonly address: string | undefined;
}

/** What is known of nodes. Everything may throw store_unavailable. */
export interface NodeRegistry {
  /** Tells where this node's instances are reached, and what runs them. */
  announce(engine: ContainerRuntime['engine']): Promise<void>;
  /** What ran this node's instances when it was last announced; undefined for one that never was. */
  engine(): Promise<ContainerRuntime['engine'] | undefined>;
  /**
   * This node is alive, and like this; it counts for HEARTBEAT_LIFE_MS, and is lost no longer. `other`: what a host
   * with another boot said, and then nothing is changed, unless that is `over`: one that says nothing any more.
   */
  beat(
    heartbeat: Heartbeat,
    over?: LastHeard,
  ): Promise<{ readonly wasLost: boolean; readonly other: LastHeard | undefined }>;
  /** Under this node's name; undefined while nothing counts. */
  lastHeard(): Promise<LastHeard | undefined>;
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
