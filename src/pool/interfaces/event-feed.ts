import type { StreamEvent } from '../../domain/visit-event.ts';

/** An event in the hands of one process, until that settles it or hands it back. */
export interface HeldEvent {
  /** Rises in the order in which events happened. */
  readonly position: number;
  /** Names this copy of it: the same when it is handed out again. */
  readonly key: string;
  /** Undefined for one of another version, or damaged. */
  readonly event: StreamEvent | undefined;
  /** When somebody had it delivered again; undefined for what is delivered for the first time. */
  readonly againAtMs: number | undefined;
  /** False for one that is to be delivered again, but to another webhook. */
  readonly isForUs: boolean;
  /** Done with; throws when that is not confirmed, and then it may be handed out again. */
  settle(): Promise<void>;
  /** Still at it: without a sign, somebody else is given it after a while. */
  keep(): void;
  /** To whoever asks next. */
  handBack(): void;
}

/** Where a webhook stands beside what is kept. Positions as of `HeldEvent`. */
export interface FeedPosition {
  /** Of the last event that was handed out. */
  readonly handedOut: number;
  /** Everything up to here is settled. */
  readonly settled: number;
  /** Of the oldest event that is kept: those before it were discarded, to make room or by their age. */
  readonly oldest: number;
  readonly newest: number;
  /** Everything up to here may be discarded soon. */
  readonly atRisk: number;
}

/** What a webhook has not had yet, kept for it whether it takes anything or not. All throw queue_unavailable. */
export interface EventFeed {
  /** Before anything else, and again after a failure. */
  open(): Promise<void>;
  /** How many are in somebody's hands, ours included. What was handed out before comes before what was not. */
  inHands(): Promise<number>;
  /** The next ones, as they come; ends after a while, after so many, and when aborted. */
  pull(most: number, signal: AbortSignal): AsyncIterable<HeldEvent>;
  position(): Promise<FeedPosition>;
  /**
   * Keeps what visitors told of themselves, of the events from one position to another, as if the webhook had not taken
   * it, and what is nearly too old. Returns the position of the last; undefined where there was none.
   */
  keepLeads(from: number, to: number, reason: string): Promise<number | undefined>;
  /** Keeps an event that the webhook did not take. Repeating it keeps one. */
  deadLetter(held: HeldEvent, why: { readonly reason: string; readonly attempts: number }): Promise<void>;
}
