import type { VisitStep } from '../domain/visit-event.ts';
import type { UsageAnswer, UsageQuestion, UsageStore, Used, VisitStepSeen } from '../pool/interfaces/usage-store.ts';
import type { UsedLabel, UseReply, UseReports } from '../proxy/discovery/interfaces/use-reports.ts';
import { today } from './funnel-counts.ts';
import { keys } from './keys.ts';
import type { Scripts } from './scripts.ts';

/** Several reports; one that is late for so long may know of a use that is not told yet. */
const SILENT_AFTER_MS = 15_000;
/** A proxy that nobody answers passes nothing on, so after this its watcher is not waited for. */
const GONE_AFTER_MS = 600_000;
/** A server that left in order is back by then where it was only restarted; one in a pod took its proxy along. */
const LEFT_FOR_MS = 120_000;
/** Twice the longest that a template may wait before it ends what is unused. */
const FORGOTTEN_AFTER_MS = 2 * 24 * 3_600_000;
/** A deadline is not moved for less: a tenth of the visit. */
const RENEW_STEP = 0.1;
/** Longer than a page takes to load, with all that belongs to it. */
export const ACTIVE_AFTER_MS = 30_000;
/** Of record-use.lua: a use that shows no step of a visit. */
const NO_STEP = -1;
/** A server's report on its proxy: it sees no requests. */
const CONNECTIONS = 'connections:';
/** Of record-use.lua: who reports goes on reporting. */
const GOES_ON = '';
/** Of record-use.lua: who reports has seen all there was until it left. */
const MISSED_NOTHING = -1;
/** Of find-unused.lua: what is known. */
const [REQUESTS_KNOWN, ALL_KNOWN] = [1, 2];

export class ValkeyUsageStore implements UsageStore, UseReports {
  readonly #scripts: Scripts;

  constructor(scripts: Scripts) {
    this.#scripts = scripts;
  }

  async recordUse(labels: readonly string[]): Promise<readonly VisitStepSeen[]> {
    const used = labels.map((label) => ({ label, agoMs: 0 }));
    return (await this.report('', used, false)).steps;
  }

  async recordConnected(watcher: string, labels: readonly string[]): Promise<void> {
    await this.#note(`${CONNECTIONS}${watcher}`, connectionsTo(labels), GOES_ON);
  }

  async leaveProxy(watcher: string, labels: readonly string[]): Promise<void> {
    await this.#note(
      `${CONNECTIONS}${watcher}`,
      connectionsTo(labels),
      labels.length === 0 ? MISSED_NOTHING : LEFT_FOR_MS,
    );
  }

  report(reporter: string, used: readonly UsedLabel[], last: boolean): Promise<UseReply> {
    return this.#note(reporter, used, last ? 0 : GOES_ON);
  }

  async #note(reporter: string, used: readonly UsedLabel[], waitedForMs: number | typeof GOES_ON): Promise<UseReply> {
    const [waits, steps] = (await this.#scripts.run(
      'record-use',
      [
        keys.hostnames,
        keys.lastUsed,
        keys.useReporters,
        keys.useKnownSince,
        keys.instances,
        keys.funnel(today()),
        keys.eventOutbox,
        keys.eventSettings,
      ],
      [
        reporter,
        waitedForMs,
        ACTIVE_AFTER_MS,
        GONE_AFTER_MS,
        ...used.flatMap(({ label, agoMs }) => [label, agoMs === undefined ? NO_STEP : Math.ceil(agoMs)]),
      ],
    )) as [number[], string[]];
    return { waitsMs: waits.map((ms) => (ms === NO_STEP ? Infinity : ms)), steps: stepsOf(steps) };
  }

  async ask({ template, unusedForMs = 0, lastsMs = 0, endsWithinMs = 0 }: UsageQuestion): Promise<UsageAnswer> {
    const [known, nowMs, unused, toRenew] = (await this.#scripts.run(
      'find-unused',
      [keys.assigned(template), keys.lastUsed, keys.instances, keys.useReporters, keys.useKnownSince],
      [
        unusedForMs,
        lastsMs,
        Math.ceil(lastsMs * RENEW_STEP),
        SILENT_AFTER_MS,
        GONE_AFTER_MS,
        FORGOTTEN_AFTER_MS,
        CONNECTIONS,
        endsWithinMs,
      ],
    )) as [number, number, (string | number)[], (string | number)[]];
    return {
      complete: known === ALL_KNOWN,
      requestsKnown: known === REQUESTS_KNOWN || known === ALL_KNOWN,
      nowMs,
      unused: pairs(unused).map(({ id, lastUsedMs }) => ({ id, sinceMs: lastUsedMs })),
      toRenew: pairs(toRenew),
    };
  }
}

function connectionsTo(labels: readonly string[]): UsedLabel[] {
  return labels.map((label) => ({ label, agoMs: undefined }));
}

function stepsOf(flat: readonly string[]): VisitStepSeen[] {
  return flat.flatMap((template, at) =>
    at % 3 === 0 ? [{ template, site: flat[at + 1] ?? '', step: flat[at + 2] as VisitStep }] : [],
  );
}

function pairs(flat: readonly (string | number)[]): Used[] {
  return flat.flatMap((id, at) => (at % 2 === 0 ? [{ id: String(id), lastUsedMs: Number(flat[at + 1]) }] : []));
}
