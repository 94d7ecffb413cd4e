import type { StatusRange } from './readiness.ts';

/**
 * When an image is looked for again under its name. Whichever it is, what is new goes to no visitor before it was
 * tried; `manual`: when an operator asks.
 */
export type ImageCheck =
  | { readonly kind: 'manual' }
  /** `written`: as the template has it. */
  | { readonly kind: 'every'; readonly everyMs: number; readonly written: string }
  /** In UTC. */
  | { readonly kind: 'cron'; readonly cron: string };

/** What a visitor would see at a path, asked of a new image before anybody gets it. */
export interface SmokeStep {
  readonly path: string;
  /** Undefined: redirects within the app are followed, and the last answer has to be below 400. */
  readonly statuses: readonly StatusRange[] | undefined;
  /** Has to be in the answer's first 64 KiB. */
  readonly text: string | undefined;
}
