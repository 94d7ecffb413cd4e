import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TryItNowError } from '../domain/errors.ts';
import { problemHeaders, retryAfterSeconds } from '../http/problem.ts';
import { failurePage } from './pages/failure.ts';
import type { Presentation } from './presentation.ts';

/** Sends a page with the headers all have. `frameSources`: what may be in a frame of it, as its policy has it. */
export function sendPage(reply: FastifyReply, text: string, frameSources?: string): FastifyReply {
  const frames = frameSources === undefined ? '' : `; frame-src ${frameSources}`;
  return (
    reply
      .type('text/html; charset=utf-8')
      .header(
        'content-security-policy',
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
          `form-action 'self'; base-uri 'none'; frame-ancestors 'none'${frames}`,
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
