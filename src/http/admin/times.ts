import { TryItNowError } from '../../domain/errors.ts';

export function isoTime(ms: number): string;
export function isoTime(ms: number | null | undefined): string | null;
/** RFC 3339 in UTC, null for what has no time. */
export function isoTime(ms: number | null | undefined): string | null {
  return ms === undefined || ms === null ? null : new Date(ms).toISOString();
}

/**
 * Of a time that a body has as `field`, which its schema has let through: a leap second is one by RFC 3339, and none
 * that a clock here can say. Throws invalid_request.
 */
export function requestedMs(field: string, text: string): number {
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  const message = 'must be a time that this server can say, and so no leap second';
  throw new TryItNowError('invalid_request', `${field} ${message}`, {
    details: { errors: [{ pointer: `/${field}`, message }] },
  });
}

/** Rounded up: what is said to be over in 0 s is over. */
export function wholeSeconds(ms: number): number {
  return Math.max(0, Math.ceil(ms / 1000));
}
