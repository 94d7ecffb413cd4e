import type { UsageAnswer, UsageQuestion, UsageStore, Used } from '../pool/interfaces/usage-store.ts';
import type { UseReports } from '../proxy/discovery/interfaces/use-reports.ts';
import { keys } from './keys.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';

/** Several reports; one that is late for so long may know of a use that is not told yet. */
const SILENT_AFTER_MS = 15_000;
/** A proxy that nobody answers passes nothing on, so after this its watcher is not waited for. */
const GONE_AFTER_MS = 600_000;
/** Twice the longest that a template may wait before it ends what is unused. */
const FORGOTTEN_AFTER_MS = 2 * 24 * 3_600_000;
/** A deadline is not moved for less: a tenth of the visit. */
const RENEW_STEP = 0.1;

export class ValkeyUsageStore implements UsageStore, UseReports {
  readonly #scripts: Scripts;

  constructor(scripts: Scripts) {
    this.#scripts = scripts;
  }

  async recordUse(labels: readonly string[]): Promise<void> {
    await this.#record('', labels, false);
  }

  async report(reporter: string, labels: readonly string[], last: boolean): Promise<void> {
    await this.#record(reporter, labels, last);
  }

  async #record(reporter: string, labels: readonly string[], last: boolean): Promise<void> {
    await this.#scripts.run(
      'record-use',
      [keys.hostnames, keys.lastUsed, keys.useReporters, keys.useKnownSince],
      [reporter, last ? FLAG.YES : FLAG.NO, ...labels],
    );
  }

  async ask({ template, unusedForMs = 0, lastsMs = 0 }: UsageQuestion): Promise<UsageAnswer> {
    const [complete, nowMs, unused, toRenew] = (await this.#scripts.run(
      'find-unused',
      [keys.assigned(template), keys.lastUsed, keys.instances, keys.useReporters, keys.useKnownSince],
      [unusedForMs, lastsMs, Math.ceil(lastsMs * RENEW_STEP), SILENT_AFTER_MS, GONE_AFTER_MS, FORGOTTEN_AFTER_MS],
    )) as [number, number, (string | number)[], (string | number)[]];
    return { complete: complete === FLAG.YES, nowMs, unused: pairs(unused), toRenew: pairs(toRenew) };
  }
}

function pairs(flat: readonly (string | number)[]): Used[] {
  return flat.flatMap((id, at) => (at % 2 === 0 ? [{ id: String(id), lastUsedMs: Number(flat[at + 1]) }] : []));
}
