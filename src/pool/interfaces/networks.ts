/** The networks an engine keeps for instances. */
export interface Networks {
  /** Those of this deployment that it has no use for (any more). */
  unused(): Promise<readonly string[]>;
  /** All of this deployment's. */
  all(): Promise<readonly string[]>;
  /** Absent is fine. Throws engine_unavailable, and container_failed while something is still in it. */
  remove(name: string): Promise<void>;
}
