import { harmNames, isHarmful } from '../domain/harm.ts';
import type { Instance, ReleaseReason } from '../domain/instance.ts';
import { canMove } from '../domain/lifecycle.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type { CleanupStore, Due, ReleaseGuard, ReleaseOutcome } from '../pool/interfaces/cleanup-store.ts';
import type { TemplateIndex } from './template-index.ts';
import { today } from './funnel-counts.ts';
import { keys } from './keys.ts';
import { attemptOf, parseRecord, requireRecord } from './records.ts';
import { CLEANUP_STEP, DUE, RELEASE } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import type { TaskPatience } from './task-patience.ts';

/** Longer ones are an engine's whole output; the log has all of it. */
const REASON_LENGTH = 1_000;

/** What becomes of who had visits ended for harm. */
export interface HarmSettings {
  /** After the last of them; 0: nothing is remembered. */
  readonly rememberedMs: number;
  /** For how long nothing is handed out after the second; twice as long after each further one. */
  readonly pauseMs: number;
}

export interface CleanupStoreOptions {
  readonly portCoolDownMs: number;
  readonly patience: TaskPatience;
  readonly harm: HarmSettings;
}

export class ValkeyCleanupStore implements CleanupStore {
  readonly #scripts: Scripts;
  readonly #templates: TemplateIndex;
  readonly #options: CleanupStoreOptions;
  readonly #log: Log;

  constructor(scripts: Scripts, templates: TemplateIndex, options: CleanupStoreOptions, log: Log) {
    this.#scripts = scripts;
    this.#templates = templates;
    this.#options = options;
    this.#log = log;
  }

  async release(instance: Instance, reason: ReleaseReason, guard: ReleaseGuard): Promise<ReleaseOutcome> {
    const { template } = instance;
    const { patience, harm } = this.#options;
    const remembered = isHarmful(reason) && harm.rememberedMs > 0 ? harmNames(instance.client, instance.owner) : [];
    const from = guard.from.filter((state) => canMove(state, 'releasing'));
    const reply = await this.#scripts.run(
      'release',
      [
        keys.instances,
        keys.ready(template),
        keys.assigned(template),
        keys.leaving(template),
        keys.hostnames,
        keys.hostnameChanges,
        keys.funnel(today()),
        keys.eventOutbox,
        keys.eventSettings,
        keys.lastUsed,
        keys.endedVisit(instance.label),
        ...remembered.map((who) => keys.harm(who)),
      ],
      [
        instance.id,
        reason,
        `,${from.join(',')},`,
        guard.generation ?? -1,
        guard.onlyIfExpired === true ? 1 : 0,
        guard.attempt ?? '',
        patience.cleanupMs,
        harm.rememberedMs,
        harm.pauseMs,
      ],
    );
    return reply === RELEASE.UNCHANGED
      ? { kind: 'unchanged' }
      : { kind: 'releasing', instance: requireRecord(reply, this.#log) };
  }

  async recordContainerGone(instance: Instance): Promise<void> {
    await this.#scripts.run('container-gone', [keys.instances], [instance.id, attemptOf(instance)]);
  }

  async recordDatabaseDropped(instance: Instance): Promise<void> {
    const reply = await this.#scripts.run('database-dropped', [keys.instances], [instance.id, attemptOf(instance)]);
    if (reply === CLEANUP_STEP.REFUSED) throw outOfOrder(instance, 'its database may not be forgotten');
  }

  async coolPort(instance: Instance): Promise<void> {
    const { node, id } = instance;
    const reply = await this.#scripts.run(
      'cool-port',
      [keys.instances, keys.coolingPorts(node), keys.heldPorts(node), keys.availablePorts(node)],
      [id, attemptOf(instance), this.#options.portCoolDownMs],
    );
    if (reply === CLEANUP_STEP.REFUSED) throw outOfOrder(instance, 'its port may not be given back');
  }

  async deleteRecord(instance: Instance): Promise<void> {
    const reply = await this.#scripts.run(
      'delete-record',
      [keys.instances, keys.leaving(instance.template)],
      [instance.id, attemptOf(instance)],
    );
    if (reply === CLEANUP_STEP.REFUSED) throw outOfOrder(instance, 'its record may not be deleted');
  }

  async markOverdue(instance: Instance): Promise<void> {
    await this.#scripts.run(
      'mark-overdue',
      [keys.instances, keys.leaving(instance.template)],
      [instance.id, attemptOf(instance)],
    );
  }

  async quarantine(instance: Instance, reason: string): Promise<number> {
    return Number(
      await this.#scripts.run(
        'quarantine',
        [keys.instances, keys.leaving(instance.template)],
        [instance.id, attemptOf(instance), reason.slice(0, REASON_LENGTH)],
      ),
    );
  }

  async due(offered: readonly Template[]): Promise<Due> {
    const lives = new Map<string, number | ''>((await this.#templates.names()).map((name) => [name, '']));
    for (const { name, ttl } of offered) lives.set(name, ttl.defaultMs);
    const names = [...lives.keys()];
    const sums = (await this.#scripts.run(
      'look-for-due',
      names.flatMap((name) => [keys.assigned(name), keys.ready(name), keys.leaving(name), keys.poolControl(name)]),
      [...lives.values()],
    )) as number[];
    const having = (what: number): ReadonlySet<string> =>
      new Set(names.filter((_, at) => ((sums[at] ?? 0) & what) !== 0));
    return {
      expired: having(DUE.EXPIRED),
      aged: having(DUE.AGED),
      overdue: having(DUE.OVERDUE),
      drained: having(DUE.DRAINED),
    };
  }

  async expired(limit: number): Promise<Instance[]> {
    return this.#dueEverywhere(keys.assigned, limit, 0);
  }

  async agedIdle(template: Template, limit: number): Promise<Instance[]> {
    return this.#due(keys.ready(template.name), template.ttl.defaultMs, limit, 0);
  }

  async drainable(template: string, limit: number): Promise<Instance[]> {
    for (let skip = 0; ; skip += limit) {
      const texts = (await this.#scripts.run(
        'drainable',
        [keys.poolControl(template), keys.ready(template), keys.assigned(template), keys.instances],
        [limit, skip],
      )) as string[];
      const found = this.#readable(texts);
      if (found.length > 0 || texts.length < limit) return found;
    }
  }

  async overdue(limit: number): Promise<Instance[]> {
    return this.#dueEverywhere(keys.leaving, limit, this.#options.patience.cleanupMs);
  }

  async #dueEverywhere(index: (template: string) => string, limit: number, putOffMs: number): Promise<Instance[]> {
    const found = await Promise.all(
      (await this.#templates.names()).map((name) => this.#due(index(name), 0, limit, putOffMs)),
    );
    return found.flat();
  }

  async #due(index: string, offsetMs: number, limit: number, putOffMs: number): Promise<Instance[]> {
    for (let skip = 0; ; skip += limit) {
      const pairs = (await this.#scripts.run(
        'due',
        [index, keys.instances],
        [offsetMs, limit, putOffMs, skip],
      )) as string[];
      const found = this.#readable(pairs.filter((_, at) => at % 2 === 1));
      // What was put off makes room by itself.
      if (found.length > 0 || putOffMs > 0 || pairs.length < 2 * limit) return found;
    }
  }

  /**
   * An entry without a record is the reconciler's to settle. A page of nothing but what cannot be read
   * must not hide the rest.
   */
  #readable(texts: readonly string[]): Instance[] {
    return texts.flatMap((text) => (text === '' ? [] : (parseRecord(text, this.#log) ?? [])));
  }
}

/** A step was asked for before the one that has to come first: a defect of ours, never a state of the world. */
function outOfOrder({ id }: Instance, what: string): Error {
  return new Error(`instance ${id} is not that far in its cleanup: ${what}`);
}
