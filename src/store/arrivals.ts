import { TryItNowError } from '../domain/errors.ts';
import { containerName, newHostLabel, newInstanceId } from '../domain/ids.ts';
import { INSTANCE_RECORD_VERSION, type Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type { Arrivals, LostTicket } from '../pool/ports.ts';
import { keys } from './keys.ts';
import { requireRecord } from './records.ts';
import type { Scripts } from './scripts.ts';

/** How long a ticket may wait in the queue before it is asked whether its task is still there. */
const QUEUED_TICKET_LIFE_MS = 30_000;
/** Beyond the readiness time-out: start, warm-up, a redelivery after a crash, and the longest backoff between attempts. */
const WORK_ALLOWANCE_MS = 2 * 60_000;
/** Tickets reserved at most by one script call. Most rounds need one or two; the next call goes on where this one ends. */
const RESERVE_BATCH = 16;

export class ValkeyArrivals implements Arrivals {
  readonly #scripts: Scripts;
  readonly #node: string;
  readonly #log: Log;

  constructor(scripts: Scripts, node: string, log: Log) {
    this.#scripts = scripts;
    this.#node = node;
    this.#log = log;
  }

  async reserve(template: Template): Promise<string[]> {
    const { name, pool } = template;
    const candidates = Array.from({ length: Math.min(pool.target, RESERVE_BATCH) }, () => newInstanceId());
    const reply = await this.#scripts.run(
      'reserve',
      [keys.ready(name), keys.warming(name), keys.assigned(name), keys.leaving(name), keys.refillPause(name), keys.templates],
      [pool.target, pool.max, pool.replenishThreshold, QUEUED_TICKET_LIFE_MS, name, ...candidates],
    );
    return reply as string[];
  }

  async cancelTicket(template: string, id: string): Promise<void> {
    await this.#scripts.run('cancel-ticket', [keys.warming(template)], [id]);
  }

  async renewTicket(template: string, id: string): Promise<boolean> {
    return (await this.#scripts.run('renew-ticket', [keys.warming(template)], [WORK_ALLOWANCE_MS, id])) === 1;
  }

  async keepQueued(tickets: readonly LostTicket[]): Promise<void> {
    const byTemplate = new Map<string, string[]>();
    for (const { template, id } of tickets) byTemplate.set(template, [...(byTemplate.get(template) ?? []), id]);
    await Promise.all([...byTemplate].map(([template, ids]) => this.#scripts.run('renew-ticket', [keys.warming(template)], [QUEUED_TICKET_LIFE_MS, ...ids])));
  }

  async begin(template: Template, version: string, id: string, database: string | undefined): Promise<Instance | undefined> {
    const draft: Instance = {
      v: INSTANCE_RECORD_VERSION, id, label: newHostLabel(), template: template.name, templateVersion: version,
      node: this.#node, container: containerName(id), state: 'warming', generation: 0, port: null, database: database ?? null,
      createdAtMs: 0, readyAtMs: null, assignedAtMs: null, deadlineMs: null, endOfLifeMs: null, owner: null, reason: null,
    };
    const ticketLifeMs = template.readiness.timeoutMs + WORK_ALLOWANCE_MS;
    const reply = await this.#scripts.run('begin', [keys.instances, keys.warming(template.name)], [id, JSON.stringify(draft), ticketLifeMs]);
    if (reply === 0) return undefined;
    if (reply === -1) throw new TryItNowError('conflicting_change', `instance ${id} is still being cleaned up after an earlier attempt`);
    return requireRecord(reply, this.#log);
  }

  async allocatePort(instance: Instance): Promise<Instance> {
    const { node, id } = instance;
    const reply = await this.#scripts.run('allocate-port', [keys.instances, keys.availablePorts(node), keys.coolingPorts(node), keys.heldPorts(node)], [id]);
    if (reply === -1) throw new TryItNowError('no_free_port', `node ${node} has no free port for instance ${id}; widen CONTAINER_PORT_RANGE_START..END or lower the pool sizes`);
    if (reply === 0) throw new TryItNowError('conflicting_change', `instance ${id} was taken away while it was being provisioned`);
    return requireRecord(reply, this.#log);
  }

  async publishHostname(instance: Instance): Promise<void> {
    const reply = await this.#scripts.run('publish-hostname', [keys.instances, keys.hostnames, keys.hostnameChanges], [instance.id]);
    if (reply === 0) throw new TryItNowError('conflicting_change', `instance ${instance.id} was taken away while it was being provisioned`);
  }

  async markReady(instance: Instance, template: Template): Promise<boolean> {
    const { name, maxAgeMs } = template;
    return (await this.#scripts.run('mark-ready', [keys.instances, keys.warming(name), keys.ready(name), keys.refillPause(name)], [instance.id, maxAgeMs])) === 1;
  }

  async recordFailure(template: string): Promise<number> {
    return Number(await this.#scripts.run('record-failure', [keys.refillPause(template)], []));
  }
}
