import type { Upstream } from './upstream.ts';

export interface Probe {
  /** Polls (50 ms) until the answer's status is below 400. Throws not_ready_in_time with the last thing seen. */
  untilOk(
    target: { readonly url: string; readonly hostname?: string; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<void>;
  /** Whether anything listens there: `silent` when neither a yes nor a no came in time. */
  listens(upstream: Upstream, timeoutMs: number): Promise<'listens' | 'refuses' | 'silent'>;
  /**
   * One request, JSON if there is a body; the answer's body is cut at 64 KiB. Throws whatever
   * kept it from being answered.
   */
  ask(
    target: { readonly url: string; readonly body?: object; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: string }>;
}
