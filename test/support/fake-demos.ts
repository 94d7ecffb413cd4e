import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { TryItNowError } from '../../src/domain/errors.ts';
import { newHostLabel, newInstanceId, ownersKey } from '../../src/domain/ids.ts';
import type { Lead } from '../../src/domain/lead.ts';
import { fillLanding, landingFor } from '../../src/domain/landing.ts';
import { isVisitOf } from '../../src/domain/visit-token.ts';
import { INSTANCE_RECORD_VERSION, type Instance } from '../../src/domain/instance.ts';
import type { Template } from '../../src/domain/template.ts';
import type { AcquireRequest, Acquired, Demos, Download, Place, Placed } from '../../src/http/demos.ts';
import type { PoolControl } from '../../src/pool/interfaces/pool-controls.ts';
import type { InstanceView, Refill } from '../../src/pool/interfaces/claim-store.ts';
import type { PoolStats } from '../../src/pool/interfaces/inventory.ts';
import { unusedEndMs } from '../../src/pool/use.ts';
import { template } from './templates.ts';

/** As the gate has it: a browser finds the number within a moment. */
export function challengeRequired(): TryItNowError {
  const [salt, number] = ['a'.repeat(24), 7];
  const challenge = createHash('sha256').update(`${salt}${number}`).digest('hex');
  const details = { challenge: { algorithm: 'SHA-256', challenge, maxnumber: 300, salt, signature: 'signed' } };
  return new TryItNowError('challenge_required', 'in demand', { details });
}

/** A pool in memory for tests of the HTTP side alone: it keeps the promises of the port and counts what it is asked. */
export class FakeDemos implements Demos {
  readonly instances = new Map<string, Instance>();
  readonly calls: { readonly method: string; readonly argument: unknown }[] = [];
  /** Ready instances left, per template; Infinity never runs out. */
  readonly ready = new Map<string, number>();
  readonly lastUsedMs = new Map<string, number>();
  /** The store's clock. */
  nowMs = 1_800_000_000_000;
  /** What operators decided, for every template; acquires heed it. */
  control: PoolControl = {
    mode: 'open',
    sinceMs: undefined,
    deadlineMs: undefined,
    reason: undefined,
    target: undefined,
    targetUntilMs: undefined,
  };
  /** What an empty pool says of its refill. */
  refill: Refill['kind'] = 'preparing';
  /** Of the next instance's host name. */
  newLabel = () => newHostLabel();
  /** What an activation gave for an instance's first step, by id. */
  readonly landings = new Map<string, string>();
  /** Places of those who wait, the first in line first, per template. */
  readonly waiting = new Map<string, string[]>();
  /** What those who wait are told of when their turn comes. */
  etaMs: number | undefined = 4_000;
  /** For how long everybody who waits has. */
  waitedMs = 1_000;
  /** Why no frame shows the next instances. */
  bare: Instance['bare'];
  /** Thrown by every call while set. */
  failure: Error | undefined;
  urlOf = (label: string) => `http://${label}.localhost:8000/`;
  readonly #templates: readonly Template[];
  readonly #keys = new Map<string, { readonly id: string; readonly template: string }>();

  constructor(templates: readonly Template[] = [template({ name: 'hello', title: 'Hello' })], ready = Infinity) {
    this.#templates = templates;
    for (const { name } of templates) this.ready.set(name, ready);
  }

  /** How often a method was called. */
  count(method: keyof Demos): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  acquire(request: AcquireRequest): Promise<Acquired> {
    return this.#answer('acquire', request, () => this.#acquire(request));
  }

  acquireOrWait(request: AcquireRequest & { readonly idempotencyKey: string }): Promise<Acquired | Placed> {
    return this.#answer('acquireOrWait', request, () => {
      const line = this.#line(request.template ?? this.#templates[0]?.name ?? '');
      const place = ownersKey(request.owner, request.idempotencyKey);
      try {
        const acquired = this.#acquire(request);
        if (line.includes(place)) line.splice(line.indexOf(place), 1);
        return acquired;
      } catch (error) {
        if (!(error instanceof TryItNowError) || error.code !== 'pool_empty' || this.refill === 'off') throw error;
        if (!line.includes(place)) line.push(place);
        const refill: Refill =
          this.refill === 'failing'
            ? { kind: 'failing', failures: 3, retryInMs: 5_000 }
            : this.refill === 'full'
              ? { kind: 'full', inUse: 3 }
              : { kind: 'preparing' };
        return { position: line.indexOf(place) + 1, refill };
      }
    });
  }

  places(name: string, ids: readonly string[]): Promise<ReadonlyMap<string, Place>> {
    return this.#answer(
      'places',
      { name, ids },
      () =>
        new Map(
          ids.flatMap((id): [string, Place][] => {
            const ahead = this.#line(name).indexOf(id);
            const turn = ahead < (this.ready.get(name) ?? 0) && this.control.mode === 'open';
            const paused = this.control.mode !== 'open';
            return ahead < 0
              ? []
              : [
                  [
                    id,
                    {
                      position: ahead + 1,
                      waitedMs: this.waitedMs,
                      turn,
                      warming: 1,
                      reason: paused ? 'paused' : this.refill,
                      etaMs: paused || this.refill !== 'preparing' ? undefined : turn ? 0 : this.etaMs,
                      note: this.control.reason,
                    },
                  ],
                ];
          }),
        ),
    );
  }

  leave(name: string, id: string): Promise<boolean> {
    return this.#answer('leave', { name, id }, () => {
      const line = this.#line(name);
      if (!line.includes(id)) return false;
      line.splice(line.indexOf(id), 1);
      return true;
    });
  }

  #line(name: string): string[] {
    const line = this.waiting.get(name) ?? [];
    this.waiting.set(name, line);
    return line;
  }

  #acquire(request: AcquireRequest): Acquired {
    const wanted = this.#templates.find(({ name }) => name === (request.template ?? this.#templates[0]?.name));
    if (wanted === undefined)
      throw new TryItNowError('unknown_template', `There is no template named ${request.template ?? ''}`);
    const open = request.open === undefined ? undefined : landingFor(wanted, request.open);
    const key = request.idempotencyKey === undefined ? undefined : `${request.owner} ${request.idempotencyKey}`;
    const earlier = key === undefined ? undefined : this.#keys.get(key);
    const held = earlier === undefined ? undefined : this.instances.get(earlier.id);
    if (held?.state === 'assigned') {
      if (held.template !== wanted.name)
        throw new TryItNowError('idempotency_mismatch', 'The key was used for another template');
      return this.#acquired(held, true, open);
    }
    if (this.control.mode !== 'open')
      throw new TryItNowError('pool_paused', `${wanted.name} is paused`, {
        retryAfterMs: 30_000,
        details: { reason: this.control.reason },
      });
    const left = this.ready.get(wanted.name) ?? 0;
    if (left < 1)
      throw new TryItNowError('pool_empty', `No instance of ${wanted.name} is ready`, {
        retryAfterMs: 1_500,
        details: { refill: this.refill },
      });
    this.ready.set(wanted.name, left - 1);
    const instance = this.#assign(wanted, request.owner);
    if (key !== undefined) this.#keys.set(key, { id: instance.id, template: wanted.name });
    return this.#acquired(instance, false, open);
  }

  find(id: string): Promise<InstanceView> {
    return this.#answer('find', id, () => ({ instance: this.#known(id), nowMs: this.nowMs }));
  }

  findByLabel(label: string): Promise<InstanceView | undefined> {
    return this.#answer('findByLabel', label, () => {
      const instance = [...this.instances.values()].find((each) => each.label === label);
      return instance === undefined ? undefined : { instance, nowMs: this.nowMs };
    });
  }

  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>> {
    return this.#answer(
      'findMany',
      ids,
      () =>
        new Map(
          ids.flatMap((id): [string, InstanceView][] => {
            const instance = this.instances.get(id);
            return instance === undefined ? [] : [[id, { instance, nowMs: this.nowMs }]];
          }),
        ),
    );
  }

  extend(id: string, minutes: number): Promise<{ readonly expiresAtMs: number; readonly ttlMs: number }> {
    return this.#answer('extend', { id, minutes }, () => {
      const instance = this.#known(id);
      if (instance.state !== 'assigned') throw new TryItNowError('not_assigned', `${id} is not held by anybody`);
      const longest = this.#templates.find(({ name }) => name === instance.template)?.ttl.maxMs ?? 0;
      const expiresAtMs = (instance.deadlineMs ?? 0) + minutes * 60_000;
      if (expiresAtMs > (instance.assignedAtMs ?? 0) + longest)
        throw new TryItNowError('extension_limit', `${id} cannot be kept longer than ${longest} ms`);
      this.instances.set(id, { ...instance, deadlineMs: expiresAtMs, generation: instance.generation + 1 });
      return { expiresAtMs, ttlMs: expiresAtMs - this.nowMs };
    });
  }

  release(id: string): Promise<void> {
    return this.#answer('release', id, () => {
      this.instances.set(id, { ...this.#known(id), state: 'releasing' });
    });
  }

  recordUse(id: string): Promise<void> {
    return this.#answer('recordUse', id, () => {
      if (this.#known(id).state !== 'assigned') throw new TryItNowError('not_assigned', `${id} is not held by anybody`);
      this.lastUsedMs.set(id, this.nowMs);
    });
  }

  unusedEndMs(view: InstanceView): number | undefined {
    return unusedEndMs(
      { ...view, lastUsedMs: this.lastUsedMs.get(view.instance.id) },
      this.#templates.find(({ name }) => name === view.instance.template),
    );
  }

  stats(): Promise<ReadonlyMap<string, PoolStats>> {
    return this.#answer(
      'stats',
      undefined,
      () =>
        new Map(
          this.#templates.map(({ name, pool }): [string, PoolStats] => {
            const left = this.ready.get(name) ?? 0;
            const own = [...this.instances.values()].filter((instance) => instance.template === name);
            return [
              name,
              {
                ready: Number.isFinite(left) ? left : pool.target,
                assigned: own.filter(({ state }) => state === 'assigned').length,
                warming: left < 1 ? pool.target : 0,
                leaving: own.filter(({ state }) => state === 'releasing').length,
                waiting: this.#line(name).length,
                target: pool.target,
                capacity: pool.max,
              },
            ];
          }),
        ),
    );
  }

  controls(): Promise<ReadonlyMap<string, PoolControl>> {
    return this.#answer('controls', undefined, () => new Map(this.#templates.map(({ name }) => [name, this.control])));
  }

  visit(token: string): Promise<InstanceView> {
    return this.#answer('visit', token, () => {
      const found = [...this.instances.values()].find(
        ({ id, label, owner, state }) =>
          state === 'assigned' && owner !== null && isVisitOf(token, { id, label, owner }),
      );
      if (found === undefined || (found.deadlineMs ?? 0) <= this.nowMs)
        throw new TryItNowError('unknown_instance', 'this visit is over');
      return { instance: found, nowMs: this.nowMs };
    });
  }

  enter({ instance: { id, label, template: name } }: InstanceView, open: string | undefined): Promise<string> {
    return this.#answer('enter', id, () => {
      const known = this.#templates.find((candidate) => candidate.name === name);
      const path = known === undefined ? '/' : landingFor(known, open);
      const landing = this.landings.get(id);
      this.landings.delete(id);
      if (landing !== undefined) return new URL(fillLanding(landing, path), this.url(label)).href;
      return this.url(label, name, open);
    });
  }

  offersExport({ instance }: InstanceView): boolean {
    return this.#templates.find(({ name }) => name === instance.template)?.export !== undefined;
  }

  exportWork({ instance: { id, template: name } }: InstanceView, _clientKey?: string): Promise<Download> {
    return this.#answer('exportWork', id, () => {
      const wanted = this.#templates.find((candidate) => candidate.name === name)?.export;
      if (wanted === undefined) throw new TryItNowError('no_export', `${name} has nothing to download`);
      return { file: wanted.file, mediaType: wanted.mediaType, body: Readable.from([`work of ${id}`]) };
    });
  }

  callToActionClicked(token: string): Promise<void> {
    return this.#answer('callToActionClicked', token, () => void this.#recalled(token));
  }

  /** What visitors told, by instance id, and what is kept of those who wait. */
  readonly told = new Map<string, Lead>();
  readonly keptLeads = new Map<string, Lead>();
  readonly leads: Demos['leads'] = {
    keep: (place, lead) => this.#answer('keepLead', place, () => void this.keptLeads.set(place, lead)),
    isKept: (place) => this.#answer('isLeadKept', place, () => this.keptLeads.has(place)),
    forget: (place) => this.#answer('forgetLead', place, () => void this.keptLeads.delete(place)),
    tellKept: ({ id }, place) =>
      this.#answer('tellKeptLead', place, () => {
        const lead = this.keptLeads.get(place);
        if (lead !== undefined && !this.told.has(id)) this.told.set(id, lead);
        this.keptLeads.delete(place);
      }),
    give: async (token, lead) => {
      const { id } = await this.leads.visitOf(token);
      if (!this.told.has(id)) this.told.set(id, lead);
    },
    visitOf: (token) => this.#answer('visitOf', token, () => this.#recalled(token)),
  };

  #recalled(token: string): Instance {
    const found = [...this.instances.values()].find(
      ({ id, label, owner }) => owner !== null && isVisitOf(token, { id, label, owner }),
    );
    if (found === undefined) throw new TryItNowError('unknown_instance', 'nothing is known of this visit any more');
    return found;
  }

  url(label: string, _template?: string, open?: string): string {
    return open === undefined ? this.urlOf(label) : new URL(open, this.urlOf(label)).href;
  }

  templates(): readonly Template[] {
    return this.#templates;
  }

  template(wanted: string): Template | undefined {
    return this.#templates.find(({ name }) => name === wanted);
  }

  #known(id: string): Instance {
    const instance = this.instances.get(id);
    if (instance === undefined) throw new TryItNowError('unknown_instance', `There is no instance ${id}`);
    return instance;
  }

  #assign({ name, ttl }: Template, owner: string): Instance {
    const id = newInstanceId();
    const instance: Instance = {
      v: INSTANCE_RECORD_VERSION,
      id,
      label: this.newLabel(),
      template: name,
      templateVersion: 'v1',
      node: 'node0',
      container: `demo-${id}`,
      database: null,
      state: 'assigned',
      generation: 2,
      port: 20_000,
      createdAtMs: this.nowMs,
      readyAtMs: this.nowMs,
      assignedAtMs: this.nowMs,
      deadlineMs: this.nowMs + ttl.defaultMs,
      endOfLifeMs: null,
      owner,
      reason: null,
      ...(this.bare !== undefined && { bare: this.bare }),
    };
    this.instances.set(id, instance);
    return instance;
  }

  #acquired(instance: Instance, again: boolean, open?: string): Acquired {
    const { id, template: name, label, deadlineMs } = instance;
    return {
      id,
      label,
      template: name,
      url: this.url(label, name, open),
      expiresAtMs: deadlineMs ?? 0,
      ttlMs: (deadlineMs ?? 0) - this.nowMs,
      again,
      bare: instance.bare !== undefined,
    };
  }

  #answer<T>(method: string, argument: unknown, work: () => T): Promise<T> {
    this.calls.push({ method, argument });
    if (this.failure !== undefined) return Promise.reject(this.failure);
    try {
      return Promise.resolve(work());
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
