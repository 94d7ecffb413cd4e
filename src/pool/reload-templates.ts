import { catalogueChanges, type TemplateChange } from '../domain/catalogue-change.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { offeredPreviews, type Preview } from '../domain/preview.ts';
import { hasEnded, type Catalogue, type Template } from '../domain/template.ts';
import { turns } from '../lifecycle/turns.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { Observer } from './interfaces/observer.ts';
import type { Previews } from './interfaces/previews.ts';
import type { ProcessRegistry } from './interfaces/process-registry.ts';
import type { TemplateFitness } from './template-fitness.ts';

/** What the files say now. */
export interface ReadTemplates {
  readonly templates: readonly Template[];
  /** What they were read from. */
  readonly text: string;
  readonly warnings: readonly string[];
}

export interface TemplateReloadDeps {
  readonly catalogue: Catalogue;
  readonly progress: ReloadProgress;
  /** What the process was started with. */
  readonly started: ReadTemplates;
  /** Throws invalid_config. */
  readonly read: () => ReadTemplates;
  readonly previews: Pick<Previews, 'list'>;
  readonly fitness: Pick<TemplateFitness, 'prepare'>;
  readonly inventory: Pick<Inventory, 'stats'>;
  readonly processes: Pick<ProcessRegistry, 'requestReload'>;
  /** Has every node provide what is on offer here from now on. */
  readonly announceTemplates: () => Promise<void>;
  /** Tells the other processes what this one offers. */
  readonly announceProcess: () => Promise<void>;
  /** Says what this node makes instances of: it is given none of what it has not said. */
  readonly beat: () => Promise<void>;
  readonly requestRefill: () => void;
  readonly requestReconcile: () => void;
  readonly observer: Pick<Observer, 'reloaded'>;
  readonly log: Log;
}

/** What a reload does to one template's instances. */
export type PlannedChange = TemplateChange & {
  /** Ready instances that are taken out, or replaced a part at a time. */
  readonly replaced: number;
  /** Those who visit one, and notice nothing. */
  readonly visitors: number;
};

export interface ReloadPlan {
  readonly changes: readonly PlannedChange[];
  readonly warnings: readonly string[];
}

export interface Reloaded extends ReloadPlan {
  readonly revision: string;
  /** Other processes that have carried out so many requests have heard of this one. */
  readonly request: number;
}

/** How far this process has come, for whoever tells the others. It changes as time goes by. */
export class ReloadProgress {
  /** Requests that it has carried out, or refused. */
  requests = 0;
  sinceMs = Date.now();
  /** Why the last one was refused; undefined: it was not. */
  problem: string | undefined;
}

/**
 * Has this process go by what the catalogue file says now, and every other one by what it says where that one runs;
 * previews come to it. A file that is wrong changes nothing. Reloads never overlap.
 */
export class TemplateReload {
  readonly #deps: TemplateReloadDeps;
  readonly #inTurn = turns();
  /** Requests heard of. */
  #heard = 0;
  /** Of the file, as it was read when it was right the last time. */
  #file: ReadTemplates;
  /** What the others were told is on offer. */
  #told: readonly Template[];
  #text = '';

  constructor(deps: TemplateReloadDeps) {
    this.#deps = deps;
    this.#file = deps.started;
    this.#told = deps.catalogue.all();
  }

  /** What a reload would do; nothing is changed. Throws invalid_templates, store_unavailable. */
  async plan(): Promise<ReloadPlan> {
    const { templates, warnings } = await this.#withPreviews(this.#read());
    return { changes: await this.#planned(templates), warnings };
  }

  /** Here, then everywhere. Throws invalid_templates, store_unavailable: then nothing was changed. */
  reload(): Promise<Reloaded> {
    return this.#inTurn(async () => {
      const { catalogue, processes } = this.#deps;
      const file = this.#readOrRefuse();
      const read = await this.#withPreviews(file);
      const changes = await this.#planned(read.templates);
      const request = await processes.requestReload();
      this.#heard = Math.max(this.#heard, request);
      this.#file = file;
      await this.#goBy(read, request);
      return { changes, warnings: read.warnings, revision: catalogue.revision, request };
    });
  }

  /** At a signal: what goes wrong is in the log. */
  async reloadOnSignal(): Promise<void> {
    await this.reload().catch((error: unknown) => this.#tellRefused(error));
  }

  /** At the start, when so many requests had been made; the templates may have changed since they were read. */
  async begin(requests: number): Promise<void> {
    this.#heard = requests;
    await this.#follow(requests);
  }

  /** So many requests have been made so far; one that is new is carried out. */
  heard(requests: number): void {
    // A store that has forgotten begins to count again.
    if (requests === this.#heard) return;
    this.#heard = requests;
    void this.#follow(requests);
  }

  /**
   * Has this process go by the previews there are now, and notice what has ended; files are not read again. Throws
   * store_unavailable.
   */
  refresh(): Promise<void> {
    return this.#inTurn(async () => {
      const { catalogue, log } = this.#deps;
      const { templates, text } = await this.#withPreviews(this.#file);
      const offered = templates.filter((template) => !hasEnded(template, Date.now()));
      const changes = catalogueChanges(this.#told, offered).filter(({ kind }) => kind !== 'unchanged');
      if (changes.length === 0 && text === this.#text) return;
      const before = catalogue.revision;
      await this.#offer(templates, text, changes.length > 0);
      if (changes.length > 0)
        log.info({ revision: catalogue.revision, before, changes }, 'Previews have changed, or templates have ended');
    });
  }

  #follow(requests: number): Promise<void> {
    return this.#inTurn(async () => {
      const file = this.#readOrRefuse();
      const read = await this.#withPreviews(file);
      this.#file = file;
      await this.#goBy(read, requests);
    }).catch((error: unknown) => {
      if (error instanceof TryItNowError && error.code === 'store_unavailable') {
        // Heard of again as soon as the store answers.
        this.#heard = UNHEARD;
        return;
      }
      this.#deps.progress.requests = requests;
      this.#tellRefused(error);
    });
  }

  /** Throws store_unavailable. */
  async #withPreviews(file: ReadTemplates): Promise<ReadTemplates> {
    const stored = await this.#deps.previews.list();
    return withPreviews(
      file,
      stored.map(({ preview }) => preview),
    );
  }

  #read(): ReadTemplates {
    try {
      return this.#deps.read();
    } catch (error) {
      throw invalidTemplates(error);
    }
  }

  #readOrRefuse(): ReadTemplates {
    try {
      return this.#read();
    } catch (error) {
      this.#deps.observer.reloaded('refused');
      this.#deps.progress.problem = describeError(error);
      throw error;
    }
  }

  #tellRefused(error: unknown): void {
    this.#deps.log.error({ reason: describeError(error) }, 'The templates were not reloaded; those before hold');
  }

  async #planned(all: readonly Template[]): Promise<readonly PlannedChange[]> {
    const { catalogue, inventory } = this.#deps;
    const templates = all.filter((template) => !hasEnded(template, Date.now()));
    const stats = await inventory.stats(catalogue.all());
    return catalogueChanges(catalogue.all(), templates).map((change) => {
      const { ready = 0, assigned = 0 } = stats.get(change.name) ?? {};
      const goes = change.kind === 'removed' || (change.kind === 'changed' && change.replaces);
      return { ...change, replaced: goes ? ready : 0, visitors: assigned };
    });
  }

  async #goBy({ templates, text, warnings }: ReadTemplates, requests: number): Promise<void> {
    const { catalogue, progress, log, observer } = this.#deps;
    const before = catalogue.revision;
    const offered = templates.filter((template) => !hasEnded(template, Date.now()));
    const changes = catalogueChanges(this.#told, offered).filter(({ kind }) => kind !== 'unchanged');
    Object.assign(progress, { requests, problem: undefined });
    await this.#offer(templates, text, changes.length > 0);
    observer.reloaded(changes.length > 0 ? 'changed' : 'unchanged');
    for (const warning of warnings) log.warn({}, warning);
    if (changes.length > 0) log.info({ revision: catalogue.revision, before, changes }, 'The templates were reloaded');
  }

  async #offer(templates: readonly Template[], text: string, changed: boolean): Promise<void> {
    const { catalogue, progress, fitness } = this.#deps;
    const before = catalogue.revision;
    if (changed) {
      const offered = templates.filter((template) => !hasEnded(template, Date.now()));
      // Networks first: what is to be started on one that is not there yet would fail.
      await this.#attempt('This host is not ready for all templates yet', () => fitness.prepare(offered));
    }
    catalogue.replace(templates, text);
    this.#told = catalogue.all();
    this.#text = text;
    if (before !== catalogue.revision) progress.sinceMs = Date.now();
    if (changed) await this.#tell();
    else await this.#attempt('The others are told later what is on offer here', this.#deps.announceProcess);
  }

  async #tell(): Promise<void> {
    const { announceTemplates, announceProcess, beat, requestReconcile, requestRefill } = this.#deps;
    await this.#attempt('Other nodes hear of the templates later', announceTemplates);
    await this.#attempt('The others are told later what is on offer here', announceProcess);
    await this.#attempt('This node gets instances of new templates with its next heartbeat', beat);
    requestReconcile();
    requestRefill();
  }

  /** What fails here is tried again by the rounds that see to it. */
  async #attempt(failed: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#deps.log.warn({ reason: describeError(error) }, failed);
    }
  }
}

/** Never asked for so often. */
const UNHEARD = -1;

export function withPreviews(
  { templates, text, warnings }: ReadTemplates,
  previews: readonly Preview[],
): ReadTemplates {
  const { templates: copies, problems } = offeredPreviews(templates, previews);
  const told = copies.map(({ name, image, title, endsAtMs }) => [name, image, title, endsAtMs]);
  return {
    templates: [...templates, ...copies],
    text: copies.length === 0 ? text : `${text}\n${JSON.stringify(told)}`,
    warnings: [
      ...warnings,
      ...[...problems].map(([name, problem]) => `The preview ${name} is not offered: ${problem}`),
    ],
  };
}

function invalidTemplates(error: unknown): unknown {
  if (!(error instanceof TryItNowError) || error.code !== 'invalid_config') return error;
  const listed = error.details?.['problems'];
  const problems = Array.isArray(listed) ? listed.map(String) : [error.message];
  const heading = `The templates have ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`;
  const message = [`${heading}; nothing was changed.`, ...problems.map((line) => `  - ${line}`)].join('\n');
  // All that the cause says: named as one, each line would be said twice.
  return new TryItNowError('invalid_templates', message, { details: { problems } });
}
