/** An event that a webhook has not taken. */
export interface SavedEvent {
  readonly webhook: string;
  /** As it is queued. */
  readonly event: string;
  /** Of one that was set aside as dead: why, and after how many attempts. */
  readonly dead?: { readonly reason: string; readonly attempts: number };
}

/** Events for the webhooks, as a backup saves them. */
export interface SavedEvents {
  /** Oldest first. Throws queue_unavailable. */
  read(): Promise<readonly SavedEvent[]>;
  /** Queues them for their webhooks. Throws queue_unavailable, queue_conflict. */
  add(events: readonly SavedEvent[]): Promise<void>;
}
