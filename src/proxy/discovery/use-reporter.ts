import { randomUUID } from 'node:crypto';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { Loop } from '../../lifecycle/loop.ts';
import type { UseReports } from './interfaces/use-reports.ts';

/** Far below the shortest time after which an unused instance ends, far above what a report costs. */
const INTERVAL_MS = 2_000;

/**
 * Tells the store which instances were asked for, a few seconds' worth at a time. What cannot be told is kept and told
 * later: the store knows meanwhile that it does not know.
 */
export class UseReporter {
  readonly #reports: UseReports;
  readonly #log: Log;
  /** New at each start: what this process has not seen, nobody has. */
  readonly #reporter = randomUUID();
  readonly #loop: Loop;
  #asked = new Set<string>();

  constructor({ reports, log }: { readonly reports: UseReports; readonly log: Log }) {
    this.#reports = reports;
    this.#log = log;
    this.#loop = new Loop({ name: 'use reporter', intervalMs: INTERVAL_MS, log }, () => this.#report(false));
  }

  start(): void {
    this.#loop.start();
  }

  note(label: string): void {
    this.#asked.add(label);
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#report(true).catch((error: unknown) =>
      this.#log.debug({ reason: describeError(error) }, 'The last report of used instances was not taken'),
    );
  }

  async #report(last: boolean): Promise<void> {
    const labels = this.#asked;
    this.#asked = new Set();
    try {
      await this.#reports.report(this.#reporter, [...labels], last);
    } catch (error) {
      for (const label of labels) this.#asked.add(label);
      throw error;
    }
  }
}
