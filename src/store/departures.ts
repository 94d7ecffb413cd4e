import type { Instance, ReleaseReason } from '../domain/instance.ts';
import { canMove } from '../domain/lifecycle.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type { Departures, ReleaseGuard, ReleaseOutcome } from '../pool/ports.ts';
import type { TemplateIndex } from './template-index.ts';
import { keys } from './keys.ts';
import { parseRecord, requireRecord } from './records.ts';
import type { Scripts } from './scripts.ts';

export class ValkeyDepartures implements Departures {
  readonly #scripts: Scripts;
  readonly #templates: TemplateIndex;
  readonly #portCoolDownMs: number;
  readonly #log: Log;

  constructor(scripts: Scripts, templates: TemplateIndex, portCoolDownMs: number, log: Log) {
    this.#scripts = scripts;
    this.#templates = templates;
    this.#portCoolDownMs = portCoolDownMs;
    this.#log = log;
  }

  async release(instance: Instance, reason: ReleaseReason, guard: ReleaseGuard): Promise<ReleaseOutcome> {
    const { template } = instance;
    const from = guard.from.filter((state) => canMove(state, 'releasing'));
    const reply = await this.#scripts.run(
      'release',
      [keys.instances, keys.ready(template), keys.assigned(template), keys.leaving(template), keys.hostnames, keys.hostnameChanges],
      [instance.id, reason, `,${from.join(',')},`, guard.generation ?? -1, guard.onlyIfExpired === true ? 1 : 0],
    );
    return reply === 0 ? { kind: 'unchanged' } : { kind: 'releasing', instance: requireRecord(reply, this.#log) };
  }

  async databaseDropped(instance: Instance): Promise<void> {
    await this.#scripts.run('database-dropped', [keys.instances], [instance.id]);
  }

  async coolPort(instance: Instance): Promise<void> {
    const { node, id } = instance;
    await this.#scripts.run('cool-port', [keys.instances, keys.coolingPorts(node), keys.heldPorts(node)], [id, this.#portCoolDownMs]);
  }

  async forget(instance: Instance): Promise<void> {
    const reply = await this.#scripts.run('forget', [keys.instances, keys.leaving(instance.template)], [instance.id]);
    if (reply === -1) throw new Error(`the record of ${instance.id} cannot be deleted: it is not releasing, or it still holds a port or a database`);
  }

  async quarantine(instance: Instance, reason: string): Promise<void> {
    await this.#scripts.run('quarantine', [keys.instances, keys.leaving(instance.template)], [instance.id, reason]);
  }

  async expired(limit: number): Promise<Instance[]> {
    return this.#dueEverywhere(keys.assigned, 0, limit, false);
  }

  async agedStock(template: Template, limit: number): Promise<Instance[]> {
    return this.#due(keys.ready(template.name), template.ttl.defaultMs, limit, false);
  }

  async overdue(olderThanMs: number, limit: number): Promise<Instance[]> {
    return this.#dueEverywhere(keys.leaving, -olderThanMs, limit, true);
  }

  async #dueEverywhere(index: (template: string) => string, offsetMs: number, limit: number, again: boolean): Promise<Instance[]> {
    const found = await Promise.all((await this.#templates.names()).map((name) => this.#due(index(name), offsetMs, limit, again)));
    return found.flat();
  }

  async #due(index: string, offsetMs: number, limit: number, again: boolean): Promise<Instance[]> {
    const pairs = (await this.#scripts.run('due', [index, keys.instances], [offsetMs, limit, again ? 1 : 0])) as string[];
    // An entry without a record is the reconciler's to settle.
    return pairs.flatMap((text, at) => (at % 2 === 0 || text === '' ? [] : (parseRecord(text, this.#log) ?? [])));
  }
}
