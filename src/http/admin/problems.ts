import { TryItNowError, type ErrorCode } from '../../domain/errors.ts';
import { problems } from '../schemas/problem.ts';

/** With what every route of operators can refuse. */
export function operatorProblems(...codes: readonly ErrorCode[]): Record<number, unknown> {
  return problems(
    'malformed_request',
    'invalid_request',
    'key_missing',
    'key_wrong',
    'role_too_low',
    'form_outdated',
    'foreign_origin',
    'too_many_refusals',
    ...codes,
    'operator_key_unset',
    'store_unavailable',
    'shutting_down',
  );
}

/** A number in a query. Throws invalid_request. */
export function limitOf(name: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  const message = `must be a whole number from 1 to ${most}`;
  throw new TryItNowError('invalid_request', `${name} is ${JSON.stringify(text.slice(0, 32))}; it ${message}`, {
    details: { errors: [{ pointer: `/${name}`, message }] },
  });
}
