import type { paths } from './api.ts';

export type Place = paths['/api/v1/waiting/{place}']['get']['responses'][200]['content']['application/json'];

/** `preparing`, `failing` (the last starts failed), `full`, `off` or `paused` (by the operators). */
export type WaitReason = Place['reason'];

/** What is told of a visit, by the name of the event. */
export interface VisitEvents {
  /** A place in the line was taken, or has changed. `etaSeconds` is null where nobody can say. */
  readonly queue: {
    readonly position: number;
    readonly etaSeconds: number | null;
    readonly reason: WaitReason;
    readonly waitedSeconds: number;
  };
  /** The app runs. Send the visitor to `url`, which may sign them in, once. */
  readonly ready: { readonly template: string; readonly url: string; readonly secondsLeft: number };
  /** Each second; `secondsUntilUnusedEnd` where the app ends when nobody uses it. */
  readonly countdown: { readonly secondsLeft: number; readonly secondsUntilUnusedEnd: number | undefined };
  /** Five minutes before the end, and again one minute before it. */
  readonly ending: { readonly secondsLeft: number };
  readonly ended: Readonly<Record<string, never>>;
  /** What went wrong, as the error that `ready` rejects with, or of listening to the countdown. */
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
    readonly retryable: boolean;
  };
}
