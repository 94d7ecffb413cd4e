import Type from 'typebox';
import { ERROR_CATALOGUE, type ErrorCode } from '../../domain/errors.ts';
import { PROBLEM_TYPE } from '../problem.ts';

/** Registered once and referred to by every response: some forty copies would make the document five times as long. */
export const ProblemBody = Type.Object(
  {
    type: Type.String({ format: 'uri', description: 'Where people can read about this kind of problem.' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'What happened, to what, and why, for a person.' }),
    remedy: Type.String({ description: 'What to do about it.' }),
    code: Type.String({ description: 'The stable name of the problem, for programs.' }),
    request_id: Type.String({ description: "Also in the X-Request-Id header and in the server's log." }),
    retryable: Type.Boolean({ description: 'True when the same request may succeed later without being changed.' }),
    retry_after_seconds: Type.Optional(Type.Integer({ minimum: 1, description: 'As in the Retry-After header.' })),
    refill: Type.Optional(
      Type.String({
        description:
          'For pool_empty: `preparing`, `failing` (the last starts failed), `full` (as many as there may be are in ' +
          'use) or `off` (its target is 0).',
      }),
    ),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String(), message: Type.String() }), {
        description: 'For invalid_request: each wrong value as a JSON pointer.',
      }),
    ),
  },
  { $id: 'Problem', additionalProperties: true, description: 'An RFC 9457 problem.' },
);

/** What every problem response refers to. */
export const PROBLEM_REFERENCE = { $ref: 'Problem#' };

/** The problem responses of a route for its OpenAPI entry: one per status, naming the codes it can carry. */
export function problems(...codes: readonly ErrorCode[]): Record<number, unknown> {
  return Object.fromEntries(
    [...groupByStatus(codes)].map(([status, named]) => [
      status,
      {
        description: named.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].title}.`).join(' '),
        content: { [PROBLEM_TYPE]: { schema: PROBLEM_REFERENCE } },
      },
    ]),
  );
}

function groupByStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = ERROR_CATALOGUE[code];
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}
