import { Agent, request } from 'undici';
import { describeError } from '../domain/errors.ts';
import type { Webhook } from '../domain/webhook.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { signedHeaders, type WebhookMessage } from './message.ts';

export type PostOutcome =
  | { readonly kind: 'taken'; readonly status: number; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly tookMs: number }
  /** The caller gave up; the receiver may have had it. */
  | { readonly kind: 'stopped' };

export type Post = (webhook: Webhook, message: WebhookMessage, signal: AbortSignal) => Promise<PostOutcome>;

/** An answer's body is nobody's business; so much of it is read for the connection's sake. */
const MOST_READ = 64 * 1024;

export interface Poster {
  readonly post: Post;
  close(): Promise<void>;
}

/**
 * Sends messages, each in one request: no redirect is followed, no cookie is kept, and a receiver has its time from the
 * connection to the head of its answer.
 */
export function createPoster({
  userAgent,
  now = Date.now,
}: {
  readonly userAgent: string;
  readonly now?: () => number;
}): Poster {
  const dispatcher = new Agent({ keepAliveTimeout: 10_000, maxHeaderSize: 16 * 1024 });
  return {
    close: () => dispatcher.destroy(),
    post: async (webhook, message, signal) => {
      const startedAt = performance.now();
      const patience = deadlineSignal(webhook.timeoutMs);
      const either = eitherOf(signal, patience);
      const leave = (): void => either[Symbol.dispose]();
      const took = (): number => Math.round(performance.now() - startedAt);
      try {
        const { statusCode: status, body } = await request(webhook.url, {
          method: 'POST',
          dispatcher,
          headers: {
            'content-type': 'application/json',
            'user-agent': userAgent,
            ...signedHeaders(message, webhook.secrets, now()),
          },
          body: message.body,
          signal: either.signal,
        });
        // The head has decided; what hangs after it only costs its connection.
        void body
          .dump({ limit: MOST_READ })
          .catch(() => undefined)
          .finally(leave);
        return status >= 200 && status < 300
          ? { kind: 'taken', status, tookMs: took() }
          : { kind: 'failed', reason: refusal(status), tookMs: took() };
      } catch (error) {
        leave();
        if (signal.aborted) return { kind: 'stopped' };
        const reason = patience.aborted ? `no answer within ${webhook.timeoutMs / 1000} s` : describeError(error);
        return { kind: 'failed', reason, tookMs: took() };
      }
    },
  };
}

function refusal(status: number): string {
  if (status >= 300 && status < 400)
    return `answered ${status}; redirects are not followed: name the address it leads to`;
  return `answered ${status}`;
}
