import type { ContainerRuntime } from './container-runtime.ts';

/** Where an instance is reached. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
  /** What publishes the port, where that is known: some engines accept connections for an app that is dead. */
  readonly engine?: ContainerRuntime['engine'];
}
