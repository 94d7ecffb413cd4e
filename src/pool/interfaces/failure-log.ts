import type { FailureReport } from '../../domain/failure-report.ts';

/** Why the last attempts of each template failed. Everything throws store_unavailable. */
export interface FailureLog {
  /** Keeps it for a week, or until five newer ones of its template have come. */
  record(report: FailureReport): Promise<void>;
  /** The newest first. */
  recent(template: string): Promise<readonly FailureReport[]>;
  /** Of the instance that was to be, the newest. */
  find(instance: string, templates: readonly string[]): Promise<FailureReport | undefined>;
}
