import type { BackoffOptions } from '../lifecycle/backoff.ts';

/** How deliveries are spread over time, in ms. */
export interface WebhookPolicy {
  /** For so long a process that says nothing more is taken for alive. */
  readonly turnMs: number;
  /** After so long without a sign an event in its hands is handed out again. */
  readonly ackWaitMs: number;
  /** Events in the hands of a process at once. */
  readonly window: number;
  /** Requests under way to a receiver at once. */
  readonly concurrency: number;
  /** Before an event that its receiver refuses is tried again, while others are taken. */
  readonly eventBackoff: BackoffOptions;
  /** Before the next request to a receiver that takes nothing. */
  readonly receiverBackoff: BackoffOptions;
  /** A receiver that takes nothing for so long is given up on with what is older than its webhook's `retry_for`. */
  readonly giveUpAfterMs: number;
  /** Between looks at what the stream has discarded. */
  readonly lookMs: number;
}

export const WEBHOOK_POLICY: WebhookPolicy = {
  turnMs: 6_000,
  ackWaitMs: 10_000,
  window: 1_000,
  concurrency: 8,
  eventBackoff: { baseMs: 2_000, maxMs: 10 * 60_000 },
  receiverBackoff: { baseMs: 1_000, maxMs: 30_000 },
  giveUpAfterMs: 10 * 60_000,
  lookMs: 10_000,
};
