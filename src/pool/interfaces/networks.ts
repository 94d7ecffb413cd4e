/** The networks an engine keeps for instances. */
export interface Networks {
  /** Those of this deployment that it has no use for (any more), nor any container: also rules of one that is gone. */
  unused(): Promise<readonly string[]>;
  /** All of this deployment's. */
  all(): Promise<readonly string[]>;
  /** Absent is fine. Throws engine_unavailable, and container_failed while something is still in it. */
  remove(name: string): Promise<void>;
  /**
   * Those of these running containers whose ports lead nowhere any more, because the host's rules that forward them are
   * gone: somebody flushed them, or a firewall was loaded again.
   */
  severed(containers: readonly PublishedPort[]): Promise<readonly string[]>;
  /** Has the engine set a running container's forwarding rules again. Throws container_failed where it cannot. */
  reconnect(container: string): Promise<void>;
}

export interface PublishedPort {
  readonly container: string;
  /** Of the host's address that instances are published on. */
  readonly port: number;
}
