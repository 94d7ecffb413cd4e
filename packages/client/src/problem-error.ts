import type { components } from './api.ts';
import type { Challenge } from './proof.ts';

type Problem = components['schemas']['Problem'];
type Told = Pick<Problem, 'code' | 'status' | 'title' | 'detail' | 'remedy' | 'retryable'> &
  Partial<Pick<Problem, 'request_id' | 'retry_after_seconds'>> & { readonly challenge?: unknown };

/** Anything that kept the server from doing what it was asked to. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  /** Stable, for programs: one of the codes in docs/reference/errors.md, or `no_answer`. */
  readonly code: string;
  /** Of the HTTP answer; 0 where there was none. */
  readonly status: number;
  /** A few words that are the same for each problem of this code. */
  readonly title: string;
  /** What to do about it. */
  readonly remedy: string;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
  /** How long to wait before the next try, where the server says so. */
  readonly retryAfterSeconds: number | undefined;
  /** Of `challenge_required`, where it could not be solved. */
  readonly challenge: Challenge | undefined;
  /** Also in the server's log. */
  readonly requestId: string | undefined;

  constructor(problem: Told, cause?: unknown) {
    super(problem.detail, cause === undefined ? undefined : { cause });
    this.code = problem.code;
    this.status = problem.status;
    this.title = problem.title;
    this.remedy = problem.remedy;
    this.retryable = problem.retryable;
    this.retryAfterSeconds = problem.retry_after_seconds;
    this.requestId = problem.request_id;
    this.challenge = isChallenge(problem.challenge) ? problem.challenge : undefined;
  }
}

/** What a refusal's body says; whatever is no problem of ours came from something in between. */
export function problemOf(body: unknown, response: Response): ProblemError {
  if (isProblem(body)) return new ProblemError(body);
  return noAnswer(`${response.url} answered ${response.status} without saying why`, response.status);
}

/** For a server that could not be reached, or something else in its place. */
export function noAnswer(detail: string, status = 0, cause?: unknown): ProblemError {
  return new ProblemError(
    {
      code: 'no_answer',
      status,
      title: 'The server does not answer',
      detail,
      remedy: 'Check the address, and that a Try It Now server answers there.',
      retryable: true,
    },
    cause,
  );
}

function isChallenge(value: unknown): value is Challenge {
  return typeof value === 'object' && value !== null && 'challenge' in value && 'salt' in value && 'maxnumber' in value;
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body && 'request_id' in body;
}
