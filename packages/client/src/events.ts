import type { paths } from './api.ts';

export type Place = paths['/api/v1/waiting/{place}']['get']['responses'][200]['content']['application/json'];

/** `preparing`, `failing` (the last starts failed), `full`, `off` or `paused` (by the operators). */
export type WaitReason = Place['reason'];

/** What is told of a visit, by the name of the event: as `<try-it-now>` tells it in pages. */
export interface VisitEvents {
  /** A place in the line was taken, or has changed. `etaSeconds` is null where nobody can say. */
  readonly queue: {
    readonly template: string;
    readonly position: number;
    readonly etaSeconds: number | null;
    readonly reason: WaitReason;
  };
  /** The app runs. Send the visitor to `url`, which may sign them in, once. */
  readonly ready: {
    readonly template: string;
    readonly url: string;
    readonly secondsLeft: number;
    readonly expiresAt: string;
  };
  /** Each second; `secondsUntilUnusedEnd` where the app ends when nobody uses it. */
  readonly countdown: {
    readonly template: string;
    readonly secondsLeft: number;
    readonly secondsUntilUnusedEnd: number | undefined;
  };
  /** Five minutes before the end, and again one minute before it. */
  readonly ending: { readonly template: string; readonly secondsLeft: number };
  readonly ended: { readonly template: string };
  /** What went wrong, as the error that `ready` rejects with, or of listening to the countdown. */
  readonly error: {
    /** Empty where it was left to the server, which has not said. */
    readonly template: string;
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
    readonly retryable: boolean;
    readonly retryAfterSeconds: number | undefined;
  };
}
