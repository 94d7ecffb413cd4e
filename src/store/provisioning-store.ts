import { TryItNowError } from '../domain/errors.ts';
import { containerName, newHostLabel, newInstanceId } from '../domain/ids.ts';
import { INSTANCE_RECORD_VERSION, type Instance, type ProvisionStep } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type {
  ProvisioningStore,
  AttemptDraft,
  BeginOutcome,
  BreakerState,
  TicketRef,
} from '../pool/interfaces/provisioning-store.ts';
import { keys } from './keys.ts';
import { attemptOf, requireRecord } from './records.ts';
import { ALLOCATE_PORT, BEGIN_ATTEMPT, FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import type { TaskPatience } from './task-patience.ts';

/**
 * Renewed while an attempt is alive; beyond that it covers a redelivery after a crash and
 * the longest backoff between attempts.
 */
const TICKET_LIFE_MS = 2 * 60_000;
/**
 * Tickets reserved at most by one script call. Most rounds need one or two; the next call goes on where this one ends.
 */
const RESERVE_BATCH = 16;
/** In a row. One or two may be bad luck. */
export const FAILURES_TO_OPEN = 3;
const MAX_PAUSE_MS = 5 * 60_000;

export interface ProvisioningStoreOptions {
  readonly node: string;
  readonly portRange: { readonly start: number; readonly end: number };
  /** An attempt without a sign for this long counts as dead. */
  readonly leaseMs: number;
  readonly patience: TaskPatience;
  /** Of every node that was announced and not removed. Throws store_unavailable. */
  readonly nodeNames: () => Promise<readonly string[]>;
  /** Repairs the recorded ports: a store that lost its data has none until then. */
  readonly settlePorts: () => Promise<unknown>;
}

export class ValkeyProvisioningStore implements ProvisioningStore {
  readonly #scripts: Scripts;
  readonly #options: ProvisioningStoreOptions;
  readonly #log: Log;

  constructor(scripts: Scripts, options: ProvisioningStoreOptions, log: Log) {
    this.#scripts = scripts;
    this.#options = options;
    this.#log = log;
  }

  async reserveTickets(
    template: Template,
    { most = RESERVE_BATCH, going = [], stranded = 0 }: Parameters<ProvisioningStore['reserveTickets']>[1] = {},
  ): Promise<string[]> {
    const { name, pool } = template;
    const { queuedTicketMs } = this.#options.patience;
    const candidates = Array.from({ length: Math.min(most, RESERVE_BATCH) }, () => newInstanceId());
    const reply = await this.#scripts.run(
      'reserve',
      [
        keys.ready(name),
        keys.warming(name),
        keys.assigned(name),
        keys.leaving(name),
        keys.refillPause(name),
        keys.templates,
        keys.poolControl(name),
        keys.waitingLeases(name),
      ],
      [
        pool.target,
        pool.max,
        pool.replenishThreshold,
        queuedTicketMs,
        name,
        FAILURES_TO_OPEN,
        going.join(','),
        stranded,
        ...candidates,
      ],
    );
    return reply as string[];
  }

  async cancelTickets(template: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const nodes = await this.#options.nodeNames();
    await this.#scripts.run('cancel-tickets', [keys.warming(template), ...nodes.map(keys.placed)], [...ids]);
  }

  async renewTicket(template: string, id: string): Promise<boolean> {
    return (await this.#scripts.run('renew-ticket', [keys.warming(template)], [TICKET_LIFE_MS, id])) === FLAG.YES;
  }

  async renewQueuedTickets(tickets: readonly TicketRef[]): Promise<void> {
    const byTemplate = new Map<string, string[]>();
    for (const { template, id } of tickets) byTemplate.set(template, [...(byTemplate.get(template) ?? []), id]);
    await Promise.all(
      [...byTemplate].map(([template, ids]) =>
        this.#scripts.run('renew-ticket', [keys.warming(template)], [this.#options.patience.queuedTicketMs, ...ids]),
      ),
    );
  }

  async beginAttempt(template: Template, { id, attempt, version, database }: AttemptDraft): Promise<BeginOutcome> {
    const { name } = template;
    const { node, leaseMs, patience } = this.#options;
    const draft: Instance = {
      v: INSTANCE_RECORD_VERSION,
      id,
      label: newHostLabel(),
      template: name,
      templateVersion: version,
      node,
      container: containerName(id, attempt),
      state: 'warming',
      generation: 0,
      port: null,
      database: database ?? null,
      createdAtMs: 0,
      readyAtMs: null,
      assignedAtMs: null,
      deadlineMs: null,
      endOfLifeMs: null,
      owner: null,
      reason: null,
      attempt,
      step: 'recorded',
    };
    const [code, text] = (await this.#scripts.run(
      'begin-attempt',
      [
        keys.instances,
        keys.warming(name),
        keys.refillPause(name),
        keys.leaving(name),
        keys.hostnames,
        keys.hostnameChanges,
        keys.placed(node),
      ],
      [id, JSON.stringify(draft), TICKET_LIFE_MS, leaseMs, patience.cleanupMs],
    )) as [number, string?];
    switch (code) {
      case BEGIN_ATTEMPT.BEGUN:
        return { kind: 'begun', instance: requireRecord(text, this.#log) };
      case BEGIN_ATTEMPT.NO_TICKET:
        return { kind: 'unwanted' };
      case BEGIN_ATTEMPT.PAUSED:
        return { kind: 'paused' };
      case BEGIN_ATTEMPT.UNDERWAY:
        return { kind: 'underway' };
      case BEGIN_ATTEMPT.LEFT_OVER:
        return { kind: 'left_over', instance: requireRecord(text, this.#log) };
      default:
        throw new Error(`begin-attempt.lua answered with an unknown code ${code}`);
    }
  }

  async renewLease(instance: Instance): Promise<boolean> {
    return this.#renew(instance, this.#options.leaseMs, '');
  }

  async releaseLease(instance: Instance): Promise<void> {
    await this.#renew(instance, 0, '');
  }

  async recordStep(instance: Instance, step: ProvisionStep, landing = ''): Promise<void> {
    if (!(await this.#renew(instance, this.#options.leaseMs, step, landing))) throw superseded(instance);
  }

  async allocatePort(instance: Instance): Promise<Instance> {
    const { node, id } = instance;
    const { start, end } = this.#options.portRange;
    const allocate = (): Promise<unknown> =>
      this.#scripts.run(
        'allocate-port',
        [keys.instances, keys.availablePorts(node), keys.coolingPorts(node), keys.heldPorts(node), keys.placed(node)],
        [id, attemptOf(instance), start, end],
      );
    let reply = await allocate();
    if (reply === ALLOCATE_PORT.NONE_RECORDED) {
      await this.#options.settlePorts();
      reply = await allocate();
    }
    if (reply === ALLOCATE_PORT.NONE_FREE || reply === ALLOCATE_PORT.NONE_RECORDED)
      throw new TryItNowError(
        'no_free_port',
        `node ${node} has no free port for instance ${id}; widen ` +
          'CONTAINER_PORT_RANGE_START..END or lower the pool sizes',
      );
    if (reply === ALLOCATE_PORT.SUPERSEDED) throw superseded(instance);
    return requireRecord(reply, this.#log);
  }

  async publishHostname(instance: Instance): Promise<void> {
    const reply = await this.#scripts.run(
      'publish-hostname',
      [keys.instances, keys.hostnames, keys.hostnameChanges],
      [instance.id, attemptOf(instance)],
    );
    if (reply === FLAG.NO) throw superseded(instance);
  }

  async markReady(
    instance: Instance,
    template: Template,
    bare?: Instance['bare'],
  ): Promise<{ readonly recovered: boolean }> {
    const { name, maxAgeMs } = template;
    const [done, recovered] = (await this.#scripts.run(
      'mark-ready',
      [
        keys.instances,
        keys.warming(name),
        keys.ready(name),
        keys.refillPause(name),
        keys.refills(name),
        keys.waiting(name),
      ],
      [instance.id, attemptOf(instance), maxAgeMs, FAILURES_TO_OPEN, bare === undefined ? '' : JSON.stringify(bare)],
    )) as [number, number?];
    if (done !== FLAG.YES) throw superseded(instance);
    return { recovered: recovered === FLAG.YES };
  }

  async announceVersion(template: string, version: string): Promise<void> {
    await this.#scripts.run('announce-version', [keys.refillPause(template)], [version]);
  }

  async recordFailure(template: string, version: string, maxPauseMs = MAX_PAUSE_MS): Promise<BreakerState> {
    const [opened, pauseMs, failures] = (await this.#scripts.run(
      'record-failure',
      [keys.refillPause(template)],
      [FAILURES_TO_OPEN, maxPauseMs, version],
    )) as [number, number, number];
    return { opened: opened === FLAG.YES, pauseMs, failures };
  }

  async recordUnhealthy(template: string, version: string): Promise<BreakerState> {
    const [opened, pauseMs, failures] = (await this.#scripts.run(
      'record-unhealthy',
      [keys.refillPause(template)],
      [FAILURES_TO_OPEN, MAX_PAUSE_MS, version],
    )) as [number, number, number];
    return { opened: opened === FLAG.YES, pauseMs, failures };
  }

  async recordHealthy(template: string): Promise<{ readonly recovered: boolean }> {
    const reply = await this.#scripts.run('record-healthy', [keys.refillPause(template)], [FAILURES_TO_OPEN]);
    return { recovered: reply === FLAG.YES };
  }

  async #renew(instance: Instance, leaseMs: number, step: ProvisionStep | '', landing = ''): Promise<boolean> {
    return (
      (await this.#scripts.run(
        'record-step',
        [keys.instances, keys.warming(instance.template)],
        [instance.id, attemptOf(instance), TICKET_LIFE_MS, leaseMs, step, landing],
      )) === FLAG.YES
    );
  }
}

function superseded({ id }: Instance): TryItNowError {
  return new TryItNowError('conflicting_change', `instance ${id} was taken away while it was being provisioned`);
}
