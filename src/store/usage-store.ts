import type { Redis as Valkey } from 'iovalkey';
import type { VisitStep } from '../domain/visit-event.ts';
import type { UsageAnswer, UsageQuestion, UsageStore, Used, VisitStepSeen } from '../pool/interfaces/usage-store.ts';
import type { UsedLabel, UseReply, UseReports } from '../proxy/discovery/interfaces/use-reports.ts';
import { today } from './funnel-counts.ts';
import { keys } from './keys.ts';
import { portHolders } from './port-holders.ts';
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
/** Of record-use.lua: what was used is given by its id, and shows no step. */
const BY_ID = -2;
/** Of record-use.lua: the rest of the report follows. */
const MORE_FOLLOWS = 'more';
/** Of record-use.lua: who reports goes on reporting. */
const GOES_ON = '';
/** Of record-use.lua: who reports has seen all there was until it left. */
const MISSED_NOTHING = -1;
/** Of find-unused.lua: what is known. */
const [REQUESTS_KNOWN, ALL_KNOWN] = [1, 2];
/** Visits that a script looks at: it keeps claims waiting for a fraction of a millisecond. */
const ASK_BATCH = 100;
/** And those of a report, which cost more each. */
const REPORT_BATCH = 50;

type Use = readonly [labelOrId: string, agoMs: number];
type FoundReply = readonly [
  known: number,
  looked: number,
  unused: readonly (string | number)[],
  toRenew: readonly (string | number)[],
];

export class ValkeyUsageStore implements UsageStore, UseReports {
  readonly #scripts: Scripts;
  readonly #client: Valkey;

  constructor(scripts: Scripts, client: Valkey) {
    this.#scripts = scripts;
    this.#client = client;
  }

  async recordUse(labels: readonly string[]): Promise<readonly VisitStepSeen[]> {
    const used = labels.map((label) => ({ label, agoMs: 0 }));
    return (await this.report('', used, false)).steps;
  }

  async recordConnected(watcher: string, places: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const ids = await portHolders(this.#client, places);
    await this.#note(`${CONNECTIONS}${watcher}`, byId(ids), GOES_ON);
    return ids;
  }

  async leaveProxy(watcher: string, places: ReadonlySet<string>): Promise<void> {
    const ids = await portHolders(this.#client, places);
    await this.#note(`${CONNECTIONS}${watcher}`, byId(ids), ids.size === 0 ? MISSED_NOTHING : LEFT_FOR_MS);
  }

  report(reporter: string, used: readonly UsedLabel[], last: boolean): Promise<UseReply> {
    const uses = used.map(({ label, agoMs }): Use => [label, agoMs === undefined ? NO_STEP : Math.ceil(agoMs)]);
    return this.#note(reporter, uses, last ? 0 : GOES_ON);
  }

  /** Whoever reports has done so with the last of several parts: before it, not all that it knows of is told. */
  async #note(reporter: string, uses: readonly Use[], waitedForMs: number | typeof GOES_ON): Promise<UseReply> {
    const waitsMs: number[] = [];
    const steps: VisitStepSeen[] = [];
    for (let at = 0; at === 0 || at < uses.length; at += REPORT_BATCH) {
      const isLast = at + REPORT_BATCH >= uses.length;
      const part = uses.slice(at, at + REPORT_BATCH);
      const [waits, shown] = await this.#notePart(reporter, part, isLast ? waitedForMs : MORE_FOLLOWS);
      waitsMs.push(...waits.map((ms) => (ms === NO_STEP ? Infinity : ms)));
      steps.push(...stepsOf(shown));
    }
    return { waitsMs, steps };
  }

  async #notePart(reporter: string, uses: readonly Use[], goesOn: number | string): Promise<[number[], string[]]> {
    return (await this.#scripts.run(
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
      [reporter, goesOn, ACTIVE_AFTER_MS, GONE_AFTER_MS, ...uses.flat()],
    )) as [number[], string[]];
  }

  async ask(question: UsageQuestion): Promise<UsageAnswer> {
    const { ids } = question;
    const found: FoundReply[] = [];
    if (ids === undefined) {
      do found.push(await this.#look(question, found.length * ASK_BATCH, []));
      while (found.at(-1)?.[1] === ASK_BATCH);
    } else
      for (let at = 0; at < ids.length; at += ASK_BATCH)
        found.push(await this.#look(question, 0, ids.slice(at, at + ASK_BATCH)));
    return {
      complete: found.every(([known]) => known === ALL_KNOWN),
      requestsKnown: found.every(([known]) => known === REQUESTS_KNOWN || known === ALL_KNOWN),
      unused: found.flatMap(([, , unused]) => pairs(unused).map(({ id, lastUsedMs }) => ({ id, sinceMs: lastUsedMs }))),
      toRenew: found.flatMap(([, , , toRenew]) => pairs(toRenew)),
    };
  }

  async #look(
    { template, unusedForMs = 0, lastsMs = 0 }: UsageQuestion,
    from: number,
    ids: readonly string[],
  ): Promise<FoundReply> {
    return (await this.#scripts.run(
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
        from,
        ASK_BATCH,
        ...ids,
      ],
    )) as FoundReply;
  }
}

function byId(ids: ReadonlySet<string>): Use[] {
  return [...ids].map((id): Use => [id, BY_ID]);
}

function stepsOf(flat: readonly string[]): VisitStepSeen[] {
  return flat.flatMap((template, at) =>
    at % 3 === 0 ? [{ template, site: flat[at + 1] ?? '', step: flat[at + 2] as VisitStep }] : [],
  );
}

function pairs(flat: readonly (string | number)[]): Used[] {
  return flat.flatMap((id, at) => (at % 2 === 0 ? [{ id: String(id), lastUsedMs: Number(flat[at + 1]) }] : []));
}
