import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TryItNowError } from '../domain/errors.ts';
import { field } from '../http/field.ts';
import { problemHeaders, retryAfterSeconds } from '../http/problem.ts';
import { failurePage } from './pages/failure.ts';
import type { Presentation } from './presentation.ts';

const POLICY = 'content-security-policy';

/** Whatever the answer will be, pages of these sites may have it in a frame. Without this nobody may. */
export function letFrame(reply: FastifyReply, origins: readonly string[]): void {
  reply.header(POLICY, `frame-ancestors ${["'self'", ...origins].join(' ')}`);
}

interface Sources {
  /** What may be in a frame of the page, as its policy has it. */
  readonly frames?: string;
  /** What its scripts may ask, besides our own. */
  readonly connections?: string;
}

/** Sends a page with the headers all have. */
export function sendPage(reply: FastifyReply, text: string, sources: Sources = {}): FastifyReply {
  const ancestors = reply.getHeader(POLICY);
  return reply.headers(pageHeaders(sources, ancestors === undefined ? undefined : String(ancestors))).send(text);
}

/** `ancestors`: the part of the policy that says who may have the page in a frame. */
function pageHeaders(
  { frames, connections }: Sources = {},
  ancestors = "frame-ancestors 'none'",
): Record<string, string> {
  const connectSources = ["'self'", ...(connections === undefined ? [] : [connections])].join(' ');
  return {
    'content-type': 'text/html; charset=utf-8',
    [POLICY]:
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
      `connect-src ${connectSources}; form-action 'self'; base-uri 'none'; ${ancestors}` +
      (frames === undefined ? '' : `; frame-src ${frames}`),
    // Our own forms must have an Origin we can check, while an instance learns nothing of where its visitor came from.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    // What a page is depends on both: Accept decides between it and JSON.
    vary: 'Accept, Accept-Language',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  };
}

/** True when a person's browser should get a page; everything under /api/ speaks JSON no matter who asks. */
export function wantsPage(request: FastifyRequest): boolean {
  return !request.url.startsWith('/api/') && request.headers.accept?.includes('text/html') === true;
}

export function sendFailurePage(reply: FastifyReply, error: TryItNowError, presentation: Presentation): FastifyReply {
  problemHeaders(reply, error);
  const { id: requestId, query, routeOptions } = reply.request;
  // Our other pages are nobody else's to frame.
  const embedded = routeOptions.url?.startsWith('/visit/') === true && field(query, 'embed') !== undefined;
  return sendPage(
    reply,
    failurePage({ presentation, error, retryAfterSeconds: retryAfterSeconds(error), requestId, embedded }),
  );
}
