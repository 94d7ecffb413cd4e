/**
 * Has a task done by one process at a time. Whoever is silent for longer than its turn loses it, and the next one
 * begins with a higher term.
 */
export interface Turn {
  /** True: this process has it for so long, from when it asked. */
  take(forMs: number): Promise<boolean>;
  /**
   * For so long again, for what goes on since it was taken. False once somebody else has had it, also if it is free:
   * what was read before is another process's past.
   */
  keep(forMs: number): Promise<boolean>;
  /** Whether this process has it, by its own clock: not any more once it stood still for too long. */
  readonly held: boolean;
  /** For a script that writes only what nobody else, with a higher term, has had the turn for since. */
  readonly fence: { readonly task: string; readonly term: number };
  /**
   * Whether nobody else has had it since this process took it, as the store says: for what is written where a late
   * write does harm. Throws store_unavailable.
   */
  confirm(): Promise<boolean>;
  /** Lets another process have it at once. */
  end(): Promise<void>;
}
