import type { ErrorCode } from './errors.ts';

/** Why somebody is not let in as an operator; `role_too_low`: is, and may not do what they asked for. */
export const OPERATOR_REFUSALS = [
  'key_missing',
  'key_wrong',
  'operator_key_unset',
  'login_refused',
  'login_without_role',
  'login_provider_unavailable',
  'too_many_refusals',
  'role_too_low',
] as const satisfies readonly ErrorCode[];
export type OperatorRefusal = (typeof OPERATOR_REFUSALS)[number];
