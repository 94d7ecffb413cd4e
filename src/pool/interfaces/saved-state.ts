/** A key of the store as a backup holds it. */
export interface SavedKey {
  readonly key: string;
  readonly type: 'hash' | 'stream';
  /** By the clock of this process (ms); without it the key stays. */
  readonly endsAtMs?: number;
  /** Of a hash a field and its value, of a stream an id and its fields and values. */
  readonly entries: readonly (readonly string[])[];
}

/** What of the store nothing else makes again: operators' decisions, the audit log, counts. */
export interface SavedState {
  /** Whether this version knows it as something that a backup holds. */
  isSaved(saved: Pick<SavedKey, 'key' | 'type'>): boolean;
  /** Those that are there. Throws store_unavailable. */
  names(): Promise<readonly string[]>;
  /** Throws store_unavailable. */
  read(): Promise<readonly SavedKey[]>;
  /** Puts these in place of those that are there, all or none. Throws store_unavailable. */
  replace(saved: readonly SavedKey[]): Promise<void>;
}
