/** How long an engine may take to answer before it counts as hung. */
export interface EnginePatience {
  readonly callMs: number;
  /** For a call that changes nothing. */
  readonly lookMs: number;
}

/**
 * The slowest calls seen, under full load, stay below 10 s. A look takes as long as a lock is held: longer than a
 * restore that hangs is left alone, since Podman answers no list meanwhile.
 */
export const ENGINE_PATIENCE: EnginePatience = { callMs: 60_000, lookMs: 25_000 };

/** Everything that the simulated engine does takes milliseconds. */
export const SIMULATED_ENGINE_PATIENCE_MS = 15_000;
