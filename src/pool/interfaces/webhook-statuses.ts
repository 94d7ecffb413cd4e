/** How a webhook does, as the process says that delivers to it. Times are ms since the Unix epoch. */
export interface DeliveryStatus {
  readonly deliveredAtMs: number | undefined;
  /** Of the last delivery that failed. */
  readonly failedAtMs: number | undefined;
  readonly failure: string | undefined;
  /** Failures since the last delivery that was taken. */
  readonly failuresInARow: number;
}

/** What the stream of events discarded before a webhook was handed it. */
interface LostEvents {
  /** Ever. */
  readonly lost: number;
  /** When the last of them were found to be. */
  readonly lostAtMs: number | undefined;
}

export interface WebhookStatus extends DeliveryStatus, LostEvents {
  /** Position in the stream up to which lost events are counted. */
  readonly lostTo: number;
  /** Position up to which what visitors told is kept apart. */
  readonly leadsKeptTo: number;
}

export interface WebhookStatuses {
  write(webhook: string, status: DeliveryStatus): Promise<void>;
  /** So many more are lost, up to this position. */
  noteLost(webhook: string, count: number, to: number, atMs: number): Promise<void>;
  noteLeadsKept(webhook: string, to: number): Promise<void>;
  read(webhook: string): Promise<WebhookStatus>;
}
