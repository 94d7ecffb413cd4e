import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TryItNowError } from '../domain/errors.ts';
import { problemHeaders, retryAfterSeconds } from '../http/problem.ts';
import { failurePage } from './pages/failure.ts';
import type { Presentation } from './presentation.ts';

const POLICY = 'content-security-policy';

/** Whatever the answer will be, pages of these sites may have it in a frame. Without this nobody may. */
export function letFrame(reply: FastifyReply, origins: readonly string[]): void {
  reply.header(POLICY, `frame-ancestors ${["'self'", ...origins].join(' ')}`);
}

export interface Sources {
  /** What may be in a frame of the page, as its policy has it. */
  readonly frames?: string;
  /** What its scripts may ask, besides our own. */
  readonly connections?: string;
}

/** Sends a page with the headers all have. */
export function sendPage(reply: FastifyReply, text: string, { frames, connections }: Sources = {}): FastifyReply {
  const ancestors = reply.getHeader(POLICY) ?? "frame-ancestors 'none'";
  const connectSources = ["'self'", ...(connections === undefined ? [] : [connections])].join(' ');
  return (
    reply
      .type('text/html; charset=utf-8')
      .header(
        POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
          `connect-src ${connectSources}; form-action 'self'; base-uri 'none'; ${String(ancestors)}` +
          (frames === undefined ? '' : `; frame-src ${frames}`),
      )
      // Our own forms must have an Origin we can check, while an instance learns nothing of
      // where its visitor came from.
      .header('referrer-policy', 'same-origin')
      .header('cross-origin-opener-policy', 'same-origin')
      // What a page is depends on both: Accept decides between it and JSON.
      .header('vary', 'Accept, Accept-Language')
      .header('permissions-policy', 'camera=(), geolocation=(), microphone=()')
      .send(text)
  );
}

/** True when a person's browser should get a page; everything under /api/ speaks JSON no matter who asks. */
export function wantsPage(request: FastifyRequest): boolean {
  return !request.url.startsWith('/api/') && request.headers.accept?.includes('text/html') === true;
}

export function sendFailurePage(reply: FastifyReply, error: TryItNowError, presentation: Presentation): FastifyReply {
  problemHeaders(reply, error);
  return sendPage(
    reply,
    failurePage({ presentation, error, retryAfterSeconds: retryAfterSeconds(error), requestId: reply.request.id }),
  );
}
