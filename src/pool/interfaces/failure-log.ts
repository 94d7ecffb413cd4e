import type { FailureReport } from '../../domain/failure-report.ts';

/** Why the last attempts of each template failed, and why one that waits is not ready. Throws store_unavailable. */
export interface FailureLog {
  /** Keeps it for a week, or until five newer ones of its template have come. */
  record(report: FailureReport): Promise<void>;
  /** The newest first. */
  recent(template: string): Promise<readonly FailureReport[]>;
  /** Of the instance that was to be, by its id or the name of its visit, the newest. */
  find(instance: string, templates: readonly string[]): Promise<FailureReport | undefined>;
  /** Why one that is being started is not ready so far. Forgotten after 10 s, unless it is noted again. */
  noteUnready(report: FailureReport): Promise<void>;
  forgetUnready(template: string): Promise<void>;
  unready(template: string): Promise<FailureReport | undefined>;
}
