import type { Redis as Valkey } from 'iovalkey';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type { Census, LostTicket, PoolStats } from '../pool/ports.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { parseRecord } from './records.ts';
import type { Scripts } from './scripts.ts';
import type { TemplateIndex } from './template-index.ts';

export interface CensusOptions {
  readonly node: string;
  readonly portRange: { readonly start: number; readonly end: number };
  readonly portCoolDownMs: number;
}

/** Ports or ids a settling script looks at in one call: keeps each call well under a millisecond. */
const BATCH = 250;
const LOST_TICKETS_A_ROUND = 500;
/** Records read in one go: parsing them keeps takes waiting for a fraction of a millisecond. */
const SCAN_COUNT = 50;
const WARMING = 3;

export class ValkeyCensus implements Census {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #templates: TemplateIndex;
  readonly #options: CensusOptions;
  readonly #log: Log;

  constructor(client: Valkey, scripts: Scripts, templates: TemplateIndex, options: CensusOptions, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#templates = templates;
    this.#options = options;
    this.#log = log;
  }

  async stats(templates: readonly Template[]): Promise<ReadonlyMap<string, PoolStats>> {
    const counts = await Promise.all(templates.map(async ({ name, pool }) => {
      const [ready, assigned, warming, leaving] = await this.#ask(() => Promise.all([
        this.#client.zcard(keys.ready(name)), this.#client.zcard(keys.assigned(name)),
        this.#client.zcard(keys.warming(name)), this.#client.zcard(keys.leaving(name)),
      ]));
      return [name, { ready, assigned, warming, leaving, target: pool.target, capacity: pool.max }] as const;
    }));
    return new Map(counts);
  }

  async list(): Promise<Instance[]> {
    const found = new Map<string, Instance>();
    let cursor = '0';
    do {
      const [next, pairs] = await this.#ask(() => this.#client.hscan(keys.instances, cursor, 'COUNT', SCAN_COUNT));
      for (let at = 1; at < pairs.length; at += 2) {
        const record = parseRecord(pairs[at] ?? '', this.#log);
        if (record !== undefined) found.set(record.id, record);
      }
      cursor = next;
    } while (cursor !== '0');
    return [...found.values()];
  }

  async lostTickets(): Promise<LostTicket[]> {
    const lost = await Promise.all((await this.#templates.names()).map(async (template) => {
      const pairs = (await this.#scripts.run('due', [keys.warming(template), keys.instances], [0, LOST_TICKETS_A_ROUND, 0])) as string[];
      return pairs.flatMap((id, at) => (at % 2 === 0 ? [{ template, id }] : []));
    }));
    return lost.flat();
  }

  async ids(): Promise<readonly string[]> {
    return this.#ask(() => this.#client.hkeys(keys.instances));
  }

  async isRecorded(id: string): Promise<boolean> {
    return (await this.#ask(() => this.#client.hexists(keys.instances, id))) === 1;
  }

  async settlePorts(): Promise<number> {
    const { node, portRange, portCoolDownMs } = this.#options;
    const names = [keys.availablePorts(node), keys.coolingPorts(node), keys.heldPorts(node)] as const;
    const [available, cooling, held] = await this.#ask(() => Promise.all([
      this.#client.smembers(names[0]), this.#client.zrange(names[1], 0, -1), this.#client.hkeys(names[2]),
    ]));
    const free = new Set(available);
    const taken = new Set([...cooling, ...held]);
    const suspects = new Set([...taken, ...available.filter((port) => Number(port) < portRange.start || Number(port) > portRange.end)]);
    for (let port = portRange.start; port <= portRange.end; port += 1) {
      if (!free.has(String(port)) && !taken.has(String(port))) suspects.add(String(port));
    }
    let repaired = 0;
    for (const batch of batches([...suspects])) {
      repaired += Number(await this.#scripts.run('settle-ports', [...names, keys.instances], [portRange.start, portRange.end, portCoolDownMs, ...batch]));
    }
    return repaired;
  }

  async settleIndexes(seen: readonly Instance[]): Promise<number> {
    const records = new Map(seen.map((record) => [record.id, record]));
    let repaired = 0;
    for (const template of await this.#templates.names()) {
      const indexes = [keys.ready(template), keys.assigned(template), keys.leaving(template), keys.warming(template)] as const;
      const members = await this.#ask(() => Promise.all(indexes.map((index) => this.#client.zrange(index, 0, -1))));
      const unplaced = new Set([...records.values()].filter((record) => record.template === template).map((record) => record.id));
      const misplaced = new Set<string>();
      for (const [at, ids] of members.entries()) {
        for (const id of ids) {
          if (indexOf(records.get(id)) === at) unplaced.delete(id);
          // A ticket whose work has not begun has no record yet.
          else if (at !== WARMING || records.has(id)) misplaced.add(id);
        }
      }
      const suspects = new Set([...unplaced, ...misplaced]);
      repaired += await this.#settle([...suspects], (id) => this.#scripts.run('settle-index', [keys.instances, ...indexes], [id]));
    }
    return repaired + (await this.#settleHostnames(records));
  }

  async #settleHostnames(records: ReadonlyMap<string, Instance>): Promise<number> {
    const entries = await this.#ask(() => this.#client.hgetall(keys.hostnames));
    const suspects = new Map<string, string>();
    for (const [label, text] of Object.entries(entries)) {
      const id = /"id":"([a-z2-7]{26})"/.exec(text)?.[1] ?? '';
      const record = records.get(id);
      if (record?.label !== label || record.state === 'releasing' || record.state === 'quarantined') suspects.set(label, id);
    }
    for (const { label, id, state } of records.values()) {
      if ((state === 'ready' || state === 'assigned') && entries[label] === undefined) suspects.set(label, id);
    }
    return this.#settle([...suspects], ([label, id]) => this.#scripts.run('settle-hostname', [keys.instances, keys.hostnames, keys.hostnameChanges], [label, id]));
  }

  /** The scripts look again for themselves, so a suspicion that is out of date by now changes nothing. */
  async #settle<T>(suspects: readonly T[], settleOne: (suspect: T) => Promise<unknown>): Promise<number> {
    let repaired = 0;
    for (const batch of batches(suspects)) {
      const replies = await Promise.all(batch.map(settleOne));
      repaired += replies.filter((reply) => reply === 1).length;
    }
    return repaired;
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

/** Which of ready, assigned, leaving and warming (0 to 3) the record belongs into; -1 for none of them. */
function indexOf(record: Instance | undefined): number {
  switch (record?.state) {
    case 'ready': return 0;
    case 'assigned': return 1;
    case 'releasing':
    case 'quarantined': return 2;
    case 'warming': return WARMING;
    case undefined: return -1;
  }
}

function* batches<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += BATCH) yield items.slice(at, at + BATCH);
}
