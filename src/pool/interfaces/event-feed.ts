import type { StreamEvent } from '../../domain/visit-event.ts';

/** An event in the hands of one process, until that settles it or hands it back. */
export interface HeldEvent {
  /** Rises in the order in which events happened. */
  readonly position: number;
  /** Names this copy of it: the same when it is handed out again. */
  readonly key: string;
  /** Undefined for one of another version, or damaged. */
  readonly event: StreamEvent | undefined;
  /** False for one that is to be delivered again, but to another webhook. */
  readonly isForUs: boolean;
  /** Done with; throws when that is not confirmed, and then it may be handed out again. */
  settle(): Promise<void>;
  /** Still at it: without a sign, somebody else is given it after a while. */
  keep(): void;
  /** To whoever asks next. */
  handBack(): void;
}

/** What a webhook has not had yet, kept for it whether it takes anything or not. All throw queue_unavailable. */
export interface EventFeed {
  /** Before anything else, and again after a failure. */
  open(): Promise<void>;
  /** How many are in somebody's hands, ours included. What was handed out before comes before what was not. */
  inHands(): Promise<number>;
  /** The next ones, as they come; ends after a while, after so many, and when aborted. */
  pull(most: number, signal: AbortSignal): AsyncIterable<HeldEvent>;
  /** Keeps an event that the webhook did not take. Repeating it keeps one. */
  deadLetter(held: HeldEvent, why: { readonly reason: string; readonly attempts: number }): Promise<void>;
}
