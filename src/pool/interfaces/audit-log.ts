export interface AuditEntry {
  readonly atMs: number;
  /** Tells operators apart without giving a key away. */
  readonly who: string;
  readonly action: string;
  readonly on: string;
  /** `done`, or the code of the error. */
  readonly outcome: string;
}

/**
 * What pushes each other out once there is too much of it, and nothing else: what operators of a role did, what keys
 * for previews did or were refused, and what others were refused. So whoever may less hides nothing of who may more.
 */
export const AUDIT_PLACES = ['admin', 'operator', 'previews', 'refused'] as const;
export type AuditPlace = (typeof AUDIT_PLACES)[number];

/** Who did what to the deployment; of each place the newest some thousands are kept. */
export interface AuditLog {
  record(entry: Omit<AuditEntry, 'atMs'>, place: AuditPlace): Promise<void>;
  /** Of all places, newest first. */
  recent(limit: number): Promise<readonly AuditEntry[]>;
}
