import Type, { type Static } from 'typebox';
import { TryItNowError } from './errors.ts';

/** Raised when the stored shape changes; one of another version is skipped. */
export const FAILURE_REPORT_VERSION = 1;
/** Of what the app wrote, the end. */
export const OUTPUT_KEPT = 4_000;

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** Why an attempt at an instance failed, as it is kept for operators. */
export const FailureReport = Type.Object({
  v: Type.Literal(FAILURE_REPORT_VERSION),
  /** Of the instance that it was to be. */
  instance: Type.String(),
  template: Type.String(),
  node: Type.String(),
  atMs: Type.Integer({ minimum: 0 }),
  /** Of the error catalogue. */
  code: Type.String(),
  /** What happened, and what is to be done about it. */
  reason: Type.String(),
  remedy: Type.String(),
  /** Null while its container ran, or where that is not known. */
  exitCode: Nullable(Type.Integer()),
  /** Such as SIGKILL; null for an end by itself. */
  signal: Nullable(Type.String()),
  /** The end of what the app wrote, without control characters. */
  output: Type.String(),
});
export type FailureReport = Static<typeof FailureReport>;

/** What was found out about an error, or about what caused it; undefined where nobody looked. */
export function reportOf(thrown: unknown): FailureReport | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if (error instanceof TryItNowError && error.details?.['report'] !== undefined)
      return error.details['report'] as FailureReport;
  return undefined;
}
