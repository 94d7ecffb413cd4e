import { createHash } from 'node:crypto';
import type { Log } from '../domain/log.ts';
import type { Instance } from '../domain/instance.ts';
import type { ExtendOutcome, InstanceView, TakeOutcome, TakeRequest, Takes } from '../pool/ports.ts';
import { keys } from './keys.ts';
import { parseRecord } from './records.ts';
import type { Scripts } from './scripts.ts';

export interface TakeLimits {
  /** 0: unlimited. */
  readonly hourly: number;
  readonly daily: number;
}

/** A key is remembered for a day: longer than any stay, so a late repeat still finds its instance. */
const IDEMPOTENCY_LIFE_MS = 24 * 3_600_000;
const FIND_BATCH = 200;

export class ValkeyTakes implements Takes {
  readonly #scripts: Scripts;
  readonly #limits: TakeLimits;
  readonly #log: Log;

  constructor(scripts: Scripts, limits: TakeLimits, log: Log) {
    this.#scripts = scripts;
    this.#limits = limits;
    this.#log = log;
  }

  async take(request: TakeRequest): Promise<TakeOutcome> {
    const { template, subject, owner, idempotencyKey, ttlMs } = request;
    const keyHash = idempotencyKey === undefined ? '' : createHash('sha256').update(`${owner}\n${idempotencyKey}`).digest('base64url');
    const reply = (await this.#scripts.run(
      'take',
      [keys.ready(template.name), keys.assigned(template.name), keys.instances, keys.hourlyRate(subject), keys.dailyRate(subject), keys.idempotency(keyHash)],
      [ttlMs, this.#limits.hourly, this.#limits.daily, owner, template.name, idempotencyKey === undefined ? 0 : IDEMPOTENCY_LIFE_MS],
    )) as [number, ...unknown[]];
    const [code] = reply;
    switch (code) {
      case -1: return { kind: 'empty' };
      case -2: return { kind: 'limited', window: 'hourly', retryAfterMs: Number(reply[1]) };
      case -3: return { kind: 'limited', window: 'daily', retryAfterMs: Number(reply[1]) };
      case -4: return { kind: 'key_reused' };
      default: {
        const [, id, label, deadlineMs, leftMs] = reply as [number, string, string, number, number];
        return { kind: code === 1 ? 'again' : 'taken', id, label, deadlineMs, ttlMs: leftMs };
      }
    }
  }

  async extend(instance: Instance, byMs: number, maxMs: number): Promise<ExtendOutcome> {
    const [code, first = 0, second = 0, third = 0] = (await this.#scripts.run(
      'extend', [keys.instances, keys.assigned(instance.template)], [instance.id, instance.generation, byMs, maxMs],
    )) as [number, number?, number?, number?];
    switch (code) {
      case 0: return { kind: 'extended', deadlineMs: first, ttlMs: second, generation: third };
      case -1: return { kind: 'unknown' };
      case -2: return { kind: 'not_assigned' };
      case -3: return { kind: 'conflict' };
      case -4: return { kind: 'limit', latestDeadlineMs: first };
      default: throw new Error(`extend.lua answered with an unknown code ${code}`);
    }
  }

  async find(id: string): Promise<InstanceView | undefined> {
    return (await this.findMany([id])).get(id);
  }

  async findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>> {
    const found = new Map<string, InstanceView>();
    for (let at = 0; at < ids.length; at += FIND_BATCH) {
      const [nowMs, ...texts] = (await this.#scripts.run('find', [keys.instances], ids.slice(at, at + FIND_BATCH))) as [number, ...string[]];
      for (const text of texts) {
        const instance = text === '' ? undefined : parseRecord(text, this.#log);
        if (instance !== undefined) found.set(instance.id, { instance, nowMs });
      }
    }
    return found;
  }
}
