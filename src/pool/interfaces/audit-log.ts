export interface AuditEntry {
  readonly atMs: number;
  /** Tells operators apart without giving a key away. */
  readonly who: string;
  readonly action: string;
  readonly on: string;
  /** `done`, or the code of the error. */
  readonly outcome: string;
}

/** Who did what to the deployment; the newest some thousands are kept. */
export interface AuditLog {
  record(entry: Omit<AuditEntry, 'atMs'>): Promise<void>;
  /** Newest first. */
  recent(limit: number): Promise<readonly AuditEntry[]>;
}
