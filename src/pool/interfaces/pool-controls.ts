/**
 * `open`: as configured. `paused`: nothing is handed out, idle instances stay warm. `draining`: idle instances are
 * removed as well, and what visitors hold by the deadline.
 */
export const POOL_MODES = ['open', 'paused', 'draining'] as const;

export type PoolMode = (typeof POOL_MODES)[number];

/** What an operator has decided for one template; it survives restarts. */
export interface PoolControl {
  readonly mode: PoolMode;
  readonly sinceMs: number | undefined;
  /** When what visitors still hold is ended; undefined: it may run out. */
  readonly deadlineMs: number | undefined;
  /** In the operator's words; visitors see it. */
  readonly reason: string | undefined;
  /** In place of the configured one, and of what the pool itself would have. */
  readonly target: number | undefined;
  /** When that ends; undefined: with the next decision. */
  readonly targetUntilMs: number | undefined;
}

export interface PoolControls {
  read(templates: readonly string[]): Promise<ReadonlyMap<string, PoolControl>>;
  pause(template: string, reason: string | undefined): Promise<void>;
  /** `withinMs`: until visitors' instances are ended; undefined: they run out by themselves. Returns the deadline. */
  drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<number | undefined>;
  /** Open again. The target stays as it was set. */
  resume(template: string): Promise<void>;
  /** Undefined: as configured again, at once or at that time. */
  setTarget(template: string, target: number | undefined, untilMs?: number): Promise<void>;
}
