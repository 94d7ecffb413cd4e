/** How a template's refills go. */
export interface BreakerStatus {
  /** Too many failed in a row: nothing is refilled for `pauseMs`, and from then on one at a time until one comes up. */
  readonly open: boolean;
  readonly failures: number;
  readonly pauseMs: number;
  /** Ready instances in a row that did not stay healthy. */
  readonly unhealthy: number;
}

export interface Breakers {
  read(templates: readonly string[]): Promise<ReadonlyMap<string, BreakerStatus>>;
}
