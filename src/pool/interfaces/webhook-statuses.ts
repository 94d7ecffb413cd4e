/** How a webhook does, as the process says that delivers to it. Times are ms since the Unix epoch. */
export interface WebhookStatus {
  readonly deliveredAtMs: number | undefined;
  /** Of the last delivery that failed. */
  readonly failedAtMs: number | undefined;
  readonly failure: string | undefined;
  /** Failures since the last delivery that was taken. */
  readonly failuresInARow: number;
}

export interface WebhookStatuses {
  write(webhook: string, status: WebhookStatus): Promise<void>;
  read(webhook: string): Promise<WebhookStatus>;
}
