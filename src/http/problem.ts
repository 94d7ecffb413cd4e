import type { FastifyError, FastifyReply } from 'fastify';
import { ERROR_CATALOGUE, TryItNowError, type ErrorCode } from '../domain/errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** An RFC 9457 problem body. `code` is the stable name for programs; the rest is for people. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly remedy: string;
  readonly code: ErrorCode;
  readonly request_id: string;
  readonly retryable: boolean;
  readonly retry_after_seconds?: number;
  /** For invalid_request: each wrong value, as a JSON pointer and what is wrong with it. */
  readonly errors?: readonly FieldError[];
  readonly [detail: string]: unknown;
}

interface FieldError {
  readonly pointer: string;
  readonly message: string;
}

/** What Fastify calls a failure, in our terms. Anything else of status 4xx is a malformed request. */
const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
};

/**
 * Every failure as one of the catalogue; what we did not foresee becomes internal_error with the original as its cause.
 */
export function toTryItNowError(thrown: unknown, bodyLimitBytes: number): TryItNowError {
  if (thrown instanceof TryItNowError) return thrown;
  if (!(thrown instanceof Error)) return unforeseen(thrown);
  const error = thrown as Partial<FastifyError> & Error;
  if (error.validation !== undefined) return validationError(error);
  const known = FRAMEWORK_CODES[error.code ?? ''];
  if (known === 'body_too_large')
    return new TryItNowError(known, `The request body is larger than the ${bodyLimitBytes} bytes this server takes`);
  if (known === 'unsupported_media_type')
    return new TryItNowError(
      known,
      'The Content-Type header does not name application/json, the only type this address takes',
    );
  if (known !== undefined) return new TryItNowError(known, error.message);
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new TryItNowError('malformed_request', `The request could not be read: ${error.message}`);
  }
  return unforeseen(thrown);
}

function unforeseen(thrown: unknown): TryItNowError {
  // The cause goes to the log, never to the caller: it may speak of our insides.
  return new TryItNowError(
    'internal_error',
    "The server met an error it did not foresee; it is in the server's log under this request id",
    { cause: thrown },
  );
}

function validationError(error: Partial<FastifyError>): TryItNowError {
  // An id that cannot exist is, to the caller, one that does not.
  if (error.validationContext === 'params' && error.validation?.[0]?.instancePath === '/place')
    return new TryItNowError('unknown_place', 'Nobody waits at this place; places are as POST /api/v1/waiting answers');
  if (error.validationContext === 'params')
    return new TryItNowError(
      'unknown_instance',
      'No instance has this id; ids are 26 letters and digits as an acquire answers them',
    );
  const place = error.validationContext === 'headers' ? 'header' : (error.validationContext ?? 'request');
  const errors = (error.validation ?? []).map((failure): FieldError => ({
    pointer: `${failure.instancePath}${missingOrSurplus(failure.params)}`,
    message: allowed(failure.params) ?? failure.message ?? 'is not as it should be',
  }));
  const listed = errors.map(({ pointer, message }) => `${pointer === '' ? 'it' : pointer} ${message}`).join('; ');
  return new TryItNowError('invalid_request', `The ${place} is not as this address takes it: ${listed}`, {
    details: { errors },
  });
}

function allowed({ allowedValues }: Record<string, unknown>): string | undefined {
  return Array.isArray(allowedValues) ? `must be one of ${allowedValues.join(', ')}` : undefined;
}

function missingOrSurplus(params: Record<string, unknown>): string {
  const name = params['additionalProperty'] ?? params['missingProperty'];
  return typeof name === 'string' ? `/${name.slice(0, 64)}` : '';
}

/** `typeBase` is where people can read about a code; the code is appended. */
export function toProblem(error: TryItNowError, requestId: string, typeBase: string): Problem {
  const { title, remedy } = ERROR_CATALOGUE[error.code];
  const seconds = retryAfterSeconds(error);
  const standard = {
    type: `${typeBase}${error.code}`,
    title,
    status: error.status,
    detail: error.message,
    remedy,
    code: error.code,
    request_id: requestId,
    retryable: error.retryable,
    ...(seconds === undefined ? {} : { retry_after_seconds: seconds }),
  };
  // Particulars come last to the eye and can never replace a standard member.
  return { ...standard, ...error.details, ...standard };
}

/** Whole seconds, at least one: rounding down would send the caller back too early. */
export function retryAfterSeconds(error: TryItNowError): number | undefined {
  return error.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(error.retryAfterMs / 1000));
}

export function sendProblem(reply: FastifyReply, error: TryItNowError, typeBase: string): FastifyReply {
  problemHeaders(reply, error);
  return reply.type(PROBLEM_TYPE).send(JSON.stringify(toProblem(error, reply.request.id, typeBase)));
}

/** Status and the headers that go with it, whatever form the body takes. */
export function problemHeaders(reply: FastifyReply, error: TryItNowError): void {
  const seconds = retryAfterSeconds(error);
  reply.code(error.status).header('cache-control', 'no-store');
  if (seconds !== undefined) reply.header('retry-after', String(seconds));
  if (error.status === 401) reply.header('www-authenticate', 'ApiKey realm="try-it-now"');
  if (error.code === 'shutting_down') reply.header('connection', 'close');
  const allow = error.details?.['allow'];
  if (error.status === 405 && Array.isArray(allow)) reply.header('allow', allow.join(', '));
}
