export function isoTime(ms: number): string;
export function isoTime(ms: number | null | undefined): string | null;
/** RFC 3339 in UTC, null for what has no time. */
export function isoTime(ms: number | null | undefined): string | null {
  return ms === undefined || ms === null ? null : new Date(ms).toISOString();
}

/** Rounded up: what is said to be over in 0 s is over. */
export function wholeSeconds(ms: number): number {
  return Math.max(0, Math.ceil(ms / 1000));
}
