import type { ContainerRuntime } from './container-runtime.ts';

export interface NodeRegistry {
  /** Tells where this node's instances are reached, and what runs them. */
  announce(engine: ContainerRuntime['engine']): Promise<void>;
  /**
   * What ran this node's instances when it was last announced; undefined for one that never was. Throws
   * store_unavailable.
   */
  engine(): Promise<ContainerRuntime['engine'] | undefined>;
  /** The last announcement of each node, as a text that is another with each. Throws store_unavailable. */
  announcements(): Promise<ReadonlyMap<string, string>>;
}
