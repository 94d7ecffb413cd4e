import { withDeadline } from '../../lifecycle/deadline.ts';
import type { HostnameEntry, HostnameSource } from './interfaces/hostname-source.ts';

export interface DirectLookupOptions {
  readonly source: HostnameSource;
  /** False while the store is known to be unavailable: then nobody waits for it. */
  readonly inStep: () => boolean;
  readonly timeoutMs: number;
  /** After an answer that came too late the store is left alone for this long. */
  readonly pauseMs: number;
  readonly now: () => number;
}

/**
 * Asks the store about a name that memory does not hold, so that a name published a moment ago is found even if word of
 * it is still on its way. Bounded tightly: Caddy looks names up one at a time, so waiting here holds up everybody
 * whose answer has just run out.
 */
export class DirectLookup {
  readonly #options: DirectLookupOptions;
  #pausedUntil = 0;

  constructor(options: DirectLookupOptions) {
    this.#options = options;
  }

  async ask(label: string): Promise<HostnameEntry | 'unknown' | 'unsure'> {
    const { source, inStep, timeoutMs, pauseMs, now } = this.#options;
    if (!inStep() || now() < this.#pausedUntil) return 'unsure';
    try {
      const found = await withDeadline(timeoutMs, source.lookup(label), () => {
        this.#pausedUntil = now() + pauseMs;
        return 'unsure' as const;
      });
      return found ?? 'unknown';
    } catch {
      return 'unsure';
    }
  }
}
