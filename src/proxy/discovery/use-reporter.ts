import { randomUUID } from 'node:crypto';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { Loop } from '../../lifecycle/loop.ts';
import type { DiscoveryObserver } from './interfaces/hostname-source.ts';
import type { UseReports } from './interfaces/use-reports.ts';

/** Far below the shortest time after which an unused instance ends, far above what a report costs. */
const INTERVAL_MS = 2_000;

/**
 * Tells the store which instances were asked for, a few seconds' worth at a time. What cannot be told is kept and told
 * later: the store knows meanwhile that it does not know.
 */
export interface UseReporterOptions {
  readonly reports: UseReports;
  /** What an instance has no longer once it ended is forgotten. */
  readonly isKnown: (label: string) => boolean;
  readonly observer?: Pick<DiscoveryObserver, 'visitStep'> | undefined;
  readonly log: Log;
  /** Milliseconds that only go forward. */
  readonly now?: () => number;
}

export class UseReporter {
  readonly #options: UseReporterOptions;
  readonly #now: () => number;
  /** New at each start: what this process has not seen, nobody has. */
  readonly #reporter = randomUUID();
  readonly #loop: Loop;
  /** When each was asked for last. */
  #asked = new Map<string, number>();
  /** From when on a use may show a step of its visit that is not known: so the store need not look each time. */
  readonly #mayShow = new Map<string, number>();

  constructor(options: UseReporterOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    const { log } = options;
    this.#loop = new Loop({ name: 'use reporter', intervalMs: INTERVAL_MS, log }, () => this.report(false));
  }

  start(): void {
    this.#loop.start();
  }

  note(label: string): void {
    this.#asked.set(label, this.#now());
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.report(true).catch((error: unknown) =>
      this.#options.log.debug({ reason: describeError(error) }, 'The last report of used instances was not taken'),
    );
  }

  /** One round. */
  async report(last: boolean): Promise<void> {
    const { reports, observer } = this.#options;
    const asked = this.#asked;
    this.#asked = new Map();
    const now = this.#now();
    const used = [...asked].map(([label, at]) => ({
      label,
      agoMs: at >= (this.#mayShow.get(label) ?? 0) ? now - at : undefined,
    }));
    try {
      const { waitsMs, steps } = await reports.report(this.#reporter, used, last);
      for (const { template, site, step } of steps) observer?.visitStep(template, site, step);
      for (const [index, { label, agoMs }] of used.entries())
        if (agoMs !== undefined) this.#mayShow.set(label, now + (waitsMs[index] ?? 0) - agoMs);
      this.#forget();
    } catch (error) {
      for (const [label, at] of asked) this.#asked.set(label, Math.max(at, this.#asked.get(label) ?? at));
      throw error;
    }
  }

  #forget(): void {
    for (const label of this.#mayShow.keys()) if (!this.#options.isKnown(label)) this.#mayShow.delete(label);
  }
}
