import type { Redis as Valkey } from 'iovalkey';
import { Compile } from 'typebox/compile';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import { PoolEvent, type NamedPoolEvent } from '../domain/pool-event.ts';
import { PoolSize, RECENT_MS, WEEK_AHEAD_MS, WEEK_BEFORE_MS } from '../domain/pool-size.ts';
import { paceOf } from '../domain/stock-for.ts';
import type { Demand, PoolSizes } from '../pool/interfaces/pool-sizes.ts';
import { readArrivals } from './arrivals.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { parseRecord } from './records.ts';
import { parseRefilled } from './refilled.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import { parseVersioned } from './versioned.ts';

const WEEK_MS = 7 * 86_400_000;
const KEPT_MS = 8 * 86_400_000;
const REMEMBERED = 16;

const isSize = Compile(PoolSize);
const isEvent = Compile(PoolEvent);

export class ValkeyPoolSizes implements PoolSizes {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #log: Log;

  constructor(client: Valkey, scripts: Scripts, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#log = log;
  }

  demand(template: string): Promise<Demand> {
    return this.#ask(async () => {
      const [seconds, micros] = await this.#client.time();
      const nowMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
      const weekAgo = nowMs - WEEK_MS;
      const [recent, lastWeek, refilled] = await Promise.all([
        readArrivals(this.#client, template, { fromMs: nowMs - RECENT_MS, toMs: nowMs, nowMs }),
        readArrivals(this.#client, template, {
          fromMs: weekAgo - WEEK_BEFORE_MS,
          toMs: weekAgo + WEEK_AHEAD_MS,
          nowMs,
        }),
        this.#client.lrange(keys.refills(template), 0, REMEMBERED - 1),
      ]);
      return { nowMs, recent, lastWeek, pace: paceOf(parseRefilled(refilled)) };
    });
  }

  async read(templates: readonly string[]): Promise<ReadonlyMap<string, PoolSize>> {
    if (templates.length === 0) return new Map();
    const texts = await this.#ask(() => this.#client.mget(templates.map((template) => keys.poolSize(template))));
    return new Map(
      templates.flatMap((template, at): [string, PoolSize][] => {
        const value: unknown = parseVersioned(texts[at] ?? '');
        return isSize.Check(value) ? [[template, value]] : [];
      }),
    );
  }

  async decide(template: string, size: PoolSize | undefined): Promise<boolean> {
    const reply = await this.#scripts.run(
      'size-pool',
      [keys.poolControl(template), keys.poolSize(template)],
      [size?.target ?? '', size === undefined ? '' : JSON.stringify(size), KEPT_MS],
    );
    return reply === FLAG.YES;
  }

  idle(template: string, most: number): Promise<readonly Instance[]> {
    return this.#ask(async () => {
      const ids = await this.#client.zrange(keys.ready(template), 0, most - 1);
      if (ids.length === 0) return [];
      const texts = await this.#client.hmget(keys.instances, ...ids);
      return texts.flatMap((text) => (text === null ? [] : (parseRecord(text, this.#log) ?? [])));
    });
  }

  async events(template: string): Promise<readonly NamedPoolEvent[]> {
    const found = await this.#ask(() => this.#client.hgetall(keys.poolEvents(template)));
    const now = Date.now();
    return Object.entries(found)
      .flatMap(([name, text]) => {
        const value: unknown = parseVersioned(text);
        return isEvent.Check(value) && value.toMs > now ? [{ ...value, name }] : [];
      })
      .sort((a, b) => a.fromMs - b.fromMs);
  }

  async putEvent(template: string, { name, ...event }: NamedPoolEvent): Promise<void> {
    const key = keys.poolEvents(template);
    const before = await this.#ask(() => this.#client.hgetall(key));
    const over = Object.entries(before).flatMap(([other, text]) =>
      other !== name && endOf(text) < Date.now() ? [other] : [],
    );
    const last = Math.max(event.toMs, ...Object.values(before).map(endOf));
    await this.#ask(async () => {
      const batch = this.#client
        .multi()
        .hset(key, name, JSON.stringify(event))
        .pexpireat(key, last + WEEK_MS);
      if (over.length > 0) batch.hdel(key, ...over);
      await batch.exec();
    });
  }

  async removeEvent(template: string, name: string): Promise<boolean> {
    return (await this.#ask(() => this.#client.hdel(keys.poolEvents(template), name))) > 0;
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** 0 for what cannot be read, which goes with the next one that is added. */
function endOf(text: string): number {
  const value: unknown = parseVersioned(text);
  return isEvent.Check(value) ? value.toMs : 0;
}
