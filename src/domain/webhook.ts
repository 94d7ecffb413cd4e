import type { StreamEventType } from './visit-event.ts';

/** One receiver of what happens in visits. Durations in ms. */
export interface Webhook {
  /** Names its place in the stream of events: another name is another receiver. */
  readonly name: string;
  readonly url: string;
  /** The keys that sign, the newest first: with two, a receiver can go from one to the other without a gap. */
  readonly secrets: readonly string[];
  readonly events: readonly StreamEventType[];
  /** How long the receiver may take to answer. */
  readonly timeoutMs: number;
  /** An event this old that fails again is set aside as dead. */
  readonly retryForMs: number;
}
