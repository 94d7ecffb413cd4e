import type { StreamEventType } from '../../domain/visit-event.ts';
import type { Webhook } from '../../domain/webhook.ts';

/** Where a webhook stands in the stream of events. */
export interface WebhookPlace {
  /** Not handed out yet. */
  readonly pending: number;
  /** Handed out, and not taken yet. */
  readonly inHands: number;
  readonly dead: number;
}

export interface DeadEvent {
  readonly sequence: number;
  readonly webhook: string;
  /** Undefined for one that this version cannot read. */
  readonly id: string | undefined;
  readonly type: StreamEventType | undefined;
  /** Undefined for one that is of none, too. */
  readonly visit: string | undefined;
  readonly reason: string;
  readonly attempts: number;
  readonly diedAtMs: number;
}

/** How far a replay is, for whoever follows it. */
export interface ReplayFollower {
  /** So many are on their way again so far. */
  readonly onCount: (count: number) => void;
  /** Aborted: it ends after what it has under way, and throws shutting_down. */
  readonly signal: AbortSignal;
}

/** Webhooks' places and dead events, as an operator looks at them and changes them. All throw queue_unavailable. */
export interface WebhookAdmin {
  /** Undefined for one that has no place yet. */
  place(webhook: string): Promise<WebhookPlace | undefined>;
  /** Names that have a place; those of webhooks that are configured no more are among them. */
  places(): Promise<readonly string[]>;
  /** Oldest first. */
  deadEvents(limit: number): Promise<readonly DeadEvent[]>;
  /**
   * Has the webhook's dead events delivered again. Returns how many. Throws replay_too_large too, as the next one does:
   * the stream would have to discard what one of `others` has not had.
   */
  replayDead(webhook: string, others: readonly string[], follower?: ReplayFollower): Promise<number>;
  /** Has what happened since then, and it is told of, delivered to the webhook again. Returns how many events. */
  replaySince(
    webhook: Pick<Webhook, 'name' | 'events'>,
    sinceMs: number,
    others: readonly string[],
    follower?: ReplayFollower,
  ): Promise<number>;
}
