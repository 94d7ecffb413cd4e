/** Which checkpoint a template is restored from, everywhere, and how that goes. */
export interface Promotions {
  /** Templates without one are left out. */
  current(templates: readonly string[]): Promise<ReadonlyMap<string, string>>;
  status(template: string): Promise<PromotionStatus>;
  /** Undefined `configured`: by a person. Otherwise nothing happens when the configuration named this one before. */
  promote(
    template: string,
    id: string,
    configured?: 'configured',
  ): Promise<{ readonly changed: boolean; readonly replaced: string | undefined }>;
  /** Back to the one before. Throws no_earlier_checkpoint. */
  rollback(template: string): Promise<{ readonly from: string; readonly to: string | undefined }>;
  /** For how long this node is not to try (ms), 0: it may. */
  pausedMs(template: string): Promise<number>;
  restored(template: string, id: string): Promise<void>;
  /** One that never restored anywhere is taken out after some failures, and the one before it comes back. */
  restoreFailed(
    template: string,
    id: string,
  ): Promise<{ readonly pauseMs: number; readonly withdrawn: boolean; readonly current: string | undefined }>;
}

export interface PromotionStatus {
  readonly current: string | undefined;
  /** The one that `rollback` goes back to first. */
  readonly earlier: readonly string[];
  /** It has been restored from since it was promoted. */
  readonly proven: boolean;
  readonly failures: number;
  /** The last one taken out because it did not restore. */
  readonly withdrawn: string | undefined;
}
