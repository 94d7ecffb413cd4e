/** Has a task done by one process at a time. Whoever is silent for longer than its turn loses it. */
export interface Turn {
  /** True: this process has it for so long, from when it asked. */
  take(forMs: number): Promise<boolean>;
  /** Lets another process have it at once. */
  end(): Promise<void>;
}
