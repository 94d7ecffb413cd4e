import { TryItNowError, describeError } from '../../domain/errors.ts';

/** What Docker and Podman answer, as far as it decides anything. */
interface EngineAnswer {
  readonly statusCode: number;
  readonly message: string;
}

/** Connection-level failures of Node: nobody listens, no such socket, no permission, cut off, too slow. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens on it',
  ENOENT: 'there is no such socket',
  EACCES: 'this user may not open it',
  EPERM: 'this user may not open it',
  ENOTSOCK: 'it is not a socket',
  ECONNRESET: 'the engine cut the connection',
  EPIPE: 'the engine cut the connection',
};

export function engineAnswer(error: unknown): EngineAnswer | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return undefined;
  const body: unknown = 'json' in error ? error.json : undefined;
  const told: unknown = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined;
  return { statusCode: error.statusCode, message: typeof told === 'string' ? told.trim() : error.message.trim() };
}

export function statusOf(error: unknown): number | undefined {
  return engineAnswer(error)?.statusCode;
}

/**
 * Whether the engine was not reached, or did not answer; as opposed to a refusal, and to failures on this side such as
 * a full disk.
 */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error) || engineAnswer(error) !== undefined) return false;
  if (error.name === 'TimeoutError' || ('syscall' in error && error.syscall === 'connect')) return true;
  return (
    'code' in error &&
    typeof error.code === 'string' &&
    (/^UND_ERR_/.test(error.code) || ['ECONNRESET', 'EPIPE', 'ECONNREFUSED'].includes(error.code))
  );
}

/**
 * `what` completes "X could not …". An answer becomes container_failed in the engine's
 * own words, no answer engine_unavailable.
 */
export function engineFailure(
  error: unknown,
  engine: { readonly title: string; readonly socketPath: string },
  what: string,
): TryItNowError {
  if (error instanceof TryItNowError) return error;
  const answer = engineAnswer(error);
  if (answer !== undefined)
    return new TryItNowError('container_failed', `${engine.title} could not ${what}: ${answer.message}`, {
      cause: error,
    });
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const why = UNREACHABLE[code] ?? describeError(error);
  return new TryItNowError(
    'engine_unavailable',
    `${engine.title} could not ${what}: its socket ${engine.socketPath} does not answer (${why}). Check that ` +
      'the service runs and that this user may open the socket.',
    { cause: error },
  );
}
