import type { Redis as Valkey } from 'iovalkey';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { Inventory, Inconsistency, NodeCounts, PoolStats } from '../pool/interfaces/inventory.ts';
import type { TicketRef } from '../pool/interfaces/provisioning-store.ts';
import { storeError } from './client.ts';
import { hostnameEntryId, parseHostnameEntry } from './hostname-entries.ts';
import { heldAmong } from './held-among.ts';
import { keys } from './keys.ts';
import { countByNode, leavingOn } from './node-counts.ts';
import { parseRecord } from './records.ts';
import type { Scripts } from './scripts.ts';
import { storedNumber } from './stored-number.ts';
import { suspectPorts } from './suspect-ports.ts';
import type { TaskPatience } from './task-patience.ts';
import type { TemplateIndex } from './template-index.ts';

export interface InventoryOptions {
  readonly node: string;
  readonly portRange: { readonly start: number; readonly end: number };
  readonly portCoolDownMs: number;
  readonly patience: TaskPatience;
}

/** Ports or ids a settling script looks at in one call: keeps each call well under a millisecond. */
const BATCH = 250;
const TICKETS_PER_ROUND = 500;
/** Records read in one go: parsing them keeps claims waiting for a fraction of a millisecond. */
const SCAN_COUNT = 50;
/**
 * How long an unhurried reader rests after what it took to read some: whoever computes without a rest gets no processor
 * at once when a visitor comes, and Valkey has them wait as well.
 */
const [REST, LONGEST_REST_MS] = [2, 100];
const WARMING = 3;
const DATABASE_FIELD = /"database"\s*:\s*"([^"]*)"/;

/** `look`: the same scripts say what is wrong and change nothing. */
type Mode = 'look' | 'settle';

interface InconsistentPort {
  /** -1 for what is no number. */
  readonly port: number;
  readonly text: string;
  readonly wrong: keyof typeof PORT_WORDS;
}

const PORT_WORDS = {
  missing: 'in the range, but neither available nor cooling nor held',
  outside: 'outside of the range',
  doubled: 'counted twice among available, cooling and held',
  unheld: 'held for an instance that does not have it',
  unclaimed: 'held for nobody, though a record names it',
} as const;

const HOSTNAME_WORDS = {
  stale: (id: string) => `leads to ${id === '' ? 'nothing readable' : `instance ${id}, which is gone or leaving`}`,
  missing: (id: string) => `does not lead anywhere, though instance ${id} is live`,
  astray: (id: string) => `leads elsewhere than to instance ${id}`,
} as const;

export class ValkeyInventory implements Inventory {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #templates: TemplateIndex;
  readonly #options: InventoryOptions;
  readonly #log: Log;

  constructor(client: Valkey, scripts: Scripts, templates: TemplateIndex, options: InventoryOptions, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#templates = templates;
    this.#options = options;
    this.#log = log;
  }

  async stats(templates: readonly Template[]): Promise<ReadonlyMap<string, PoolStats>> {
    const counts = await Promise.all(
      templates.map(async ({ name, pool }) => {
        const [ready, assigned, warming, leaving, waiting, [target, auto]] = await this.#ask(() =>
          Promise.all([
            this.#client.zcard(keys.ready(name)),
            this.#client.zcard(keys.assigned(name)),
            this.#client.zcard(keys.warming(name)),
            this.#client.zcard(keys.leaving(name)),
            this.#client.zcard(keys.waiting(name)),
            this.#client.hmget(keys.poolControl(name), 'target', 'auto_target'),
          ]),
        );
        return [
          name,
          {
            ready,
            assigned,
            warming,
            leaving,
            waiting,
            target: Math.min(storedNumber(target) ?? storedNumber(auto) ?? pool.target, pool.max),
            capacity: pool.max,
          },
        ] as const;
      }),
    );
    return new Map(counts);
  }

  async list({ unhurried = false } = {}): Promise<Instance[]> {
    const found = new Map<string, Instance>();
    await this.#eachField(keys.instances, unhurried ? REST : 0, (_id, text) => {
      const record = parseRecord(text, this.#log);
      if (record !== undefined) found.set(record.id, record);
    });
    return [...found.values()];
  }

  async leaving(): Promise<Instance[]> {
    const indexes = (await this.#templates.names()).map(keys.leaving);
    const ids = await this.#ask(() => Promise.all(indexes.map((index) => this.#client.zrange(index, 0, -1))));
    return this.#records(ids.flat());
  }

  async oldestReady(templates: readonly string[]): Promise<Instance[]> {
    const ids = await this.#ask(() =>
      Promise.all(templates.map((template) => this.#client.zrange(keys.ready(template), 0, 0))),
    );
    return this.#records(ids.flat());
  }

  async readyOrAssigned(templates: readonly string[]): Promise<Instance[]> {
    const indexes = templates.flatMap((template) => [keys.ready(template), keys.assigned(template)]);
    const ids = await this.#ask(() => Promise.all(indexes.map((index) => this.#client.zrange(index, 0, -1))));
    return this.#records([...new Set(ids.flat())]);
  }

  visits(node: string): Promise<Instance[]> {
    return this.#heldAs('assigned', node);
  }

  readyOn(node: string): Promise<Instance[]> {
    return this.#heldAs('ready', node);
  }

  /** Looked for each second, where most of what a host holds is something else: its records are not read. */
  async #heldAs(state: 'ready' | 'assigned', node: string): Promise<Instance[]> {
    const indexes = (await this.#templates.names()).map(keys[state]);
    const ids = await this.#ask(() => heldAmong(this.#client, keys.heldPorts(node), indexes));
    return (await this.#records(ids)).filter((record) => record.node === node && record.state === state);
  }

  async leavingOn(node: string): Promise<ReadonlyMap<string, number>> {
    const templates = await this.#templates.names();
    return this.#ask(() => leavingOn(this.#client, templates, node));
  }

  async ofNode(node: string): Promise<Instance[]> {
    const ids = await this.#ask(() => this.#client.hvals(keys.heldPorts(node)));
    return (await this.#records(ids)).filter((record) => record.node === node);
  }

  async countByNode(nodes: readonly string[]): Promise<ReadonlyMap<string, NodeCounts>> {
    const templates = await this.#templates.names();
    return this.#ask(() => countByNode(this.#client, templates, nodes));
  }

  async hasTickets(): Promise<boolean> {
    const indexes = (await this.#templates.names()).map(keys.warming);
    return indexes.length > 0 && (await this.#ask(() => this.#client.exists(...indexes))) > 0;
  }

  async expiredTickets(): Promise<TicketRef[]> {
    const lost = await Promise.all(
      (await this.#templates.names()).map(async (template) => {
        const pairs = (await this.#scripts.run(
          'due',
          [keys.warming(template), keys.instances],
          [0, TICKETS_PER_ROUND, 0, 0],
        )) as string[];
        return pairs.flatMap((id, at) => (at % 2 === 0 ? [{ template, id }] : []));
      }),
    );
    return lost.flat();
  }

  async idleTickets({ newOnesToo = false } = {}): Promise<TicketRef[]> {
    const { queuedTicketMs, newTicketMs } = this.#options.patience;
    const idle = await Promise.all(
      (await this.#templates.names()).map(async (template) => {
        const ids = (await this.#scripts.run(
          'idle-tickets',
          [keys.warming(template), keys.instances],
          [queuedTicketMs, newOnesToo ? 0 : newTicketMs, TICKETS_PER_ROUND],
        )) as string[];
        return ids.map((id) => ({ template, id }));
      }),
    );
    return idle.flat();
  }

  async databases(): Promise<readonly string[]> {
    const found: string[] = [];
    // Not parsed: a damaged record, or one of another version, must not cost an instance its database.
    await this.#eachField(keys.instances, 0, (_id, text) => {
      const name = DATABASE_FIELD.exec(text)?.[1];
      if (name !== undefined) found.push(name);
    });
    return found;
  }

  async isRecorded(id: string): Promise<boolean> {
    return (await this.#ask(() => this.#client.hexists(keys.instances, id))) === 1;
  }

  async inconsistencies(seen: readonly Instance[]): Promise<readonly Inconsistency[]> {
    const indexes = await this.#indexes(seen, 'look');
    const hostnames = await this.#hostnames(seen, 'look');
    const settings = await this.#settings('look');
    return [...indexes, ...hostnames, ...settings];
  }

  async inconsistentPorts(seen: readonly Instance[]): Promise<readonly Inconsistency[]> {
    return inRuns(await this.#ports(seen, 'look'));
  }

  async reconcilePorts(): Promise<number> {
    return (await this.#ports(await this.list(), 'settle')).length;
  }

  async reconcileIndexes(seen: readonly Instance[]): Promise<number> {
    return (await this.#indexes(seen, 'settle')).length;
  }

  async reconcileHostnames(seen: readonly Instance[]): Promise<number> {
    return (await this.#hostnames(seen, 'settle')).length;
  }

  async reconcileSettings(): Promise<number> {
    return (await this.#settings('settle')).length;
  }

  async #settings(mode: Mode): Promise<Inconsistency[]> {
    const found: Inconsistency[] = [];
    for (const template of await this.#templates.names()) {
      const wrong = (await this.#scripts.run(
        'reconcile-settings',
        [keys.poolControl(template), keys.refillPause(template)],
        [flag(mode)],
      )) as string[];
      for (let at = 0; at < wrong.length; at += 3)
        found.push({
          kind: 'setting',
          what: `${wrong[at] ?? ''} ${wrong[at + 1] ?? ''}`,
          why: `${JSON.stringify(wrong[at + 2]?.slice(0, 40))} cannot be meant; it is as if nothing stood there`,
        });
    }
    return found;
  }

  async #ports(seen: readonly Instance[], mode: Mode): Promise<InconsistentPort[]> {
    const { node, portRange, portCoolDownMs } = this.#options;
    const names = [keys.availablePorts(node), keys.coolingPorts(node), keys.heldPorts(node)] as const;
    const [available, cooling, held] = await this.#ask(() =>
      Promise.all([
        this.#client.smembers(names[0]),
        this.#client.zrange(names[1], 0, -1),
        this.#client.hgetall(names[2]),
      ]),
    );
    const own = seen.filter((record) => record.node === node);
    const suspects = suspectPorts({ available, cooling, held, seen: own }, portRange);
    const owners = new Map(own.flatMap(({ port, id }) => (port === null ? [] : [[String(port), id] as const])));
    const found: InconsistentPort[] = [];
    for (const batch of batches([...suspects])) {
      const claims = batch.flatMap((port) => [port, owners.get(port) ?? '']);
      const pairs = (await this.#scripts.run(
        'reconcile-ports',
        [...names, keys.instances],
        [portRange.start, portRange.end, portCoolDownMs, flag(mode), ...claims],
      )) as string[];
      for (let at = 0; at < pairs.length; at += 2) {
        const text = pairs[at] ?? '';
        found.push({ port: storedNumber(text) ?? -1, text, wrong: pairs[at + 1] as InconsistentPort['wrong'] });
      }
    }
    return found;
  }

  async #indexes(seen: readonly Instance[], mode: Mode): Promise<Inconsistency[]> {
    const records = byId(seen);
    const byTemplate = idsByTemplate(seen);
    const found: Inconsistency[] = [];
    for (const template of await this.#templates.names()) {
      const indexes = [
        keys.ready(template),
        keys.assigned(template),
        keys.leaving(template),
        keys.warming(template),
      ] as const;
      const members = await this.#ask(() => Promise.all(indexes.map((index) => this.#client.zrange(index, 0, -1))));
      const unplaced = new Set(byTemplate.get(template));
      const misplaced = new Set<string>();
      for (const [at, ids] of members.entries()) {
        for (const id of ids) {
          if (indexOf(records.get(id)) === at) unplaced.delete(id);
          // A ticket whose work has not begun has no record yet.
          else if (at !== WARMING || records.has(id)) misplaced.add(id);
        }
      }
      const moves = await this.#reconcile([...unplaced, ...misplaced], (id) =>
        this.#scripts.run('reconcile-index', [keys.instances, ...indexes], [id, flag(mode)]),
      );
      for (const [id, move] of moves) {
        const changes = move as string[];
        if (changes.length > 0) found.push({ kind: 'index', what: id, why: indexWords(changes, template) });
      }
    }
    return found;
  }

  async #hostnames(seen: readonly Instance[], mode: Mode): Promise<Inconsistency[]> {
    const records = byId(seen);
    const labels = new Set<string>();
    const suspects = new Map<string, string>();
    await this.#eachField(keys.hostnames, REST, (label, text) => {
      labels.add(label);
      const id = hostnameEntryId(text);
      const record = records.get(id);
      const leads =
        record?.label === label &&
        record.state !== 'releasing' &&
        record.state !== 'quarantined' &&
        leadsTo(text, record);
      if (!leads) suspects.set(label, id);
    });
    for (const { label, id, state } of records.values()) {
      if ((state === 'ready' || state === 'assigned') && !labels.has(label)) suspects.set(label, id);
    }
    const outcomes = await this.#reconcile([...suspects], ([label, id]) =>
      this.#scripts.run(
        'reconcile-hostname',
        [keys.instances, keys.hostnames, keys.hostnameChanges],
        [label, id, flag(mode)],
      ),
    );
    return outcomes.flatMap(([[label, id], wrong]) =>
      wrong === ''
        ? []
        : [{ kind: 'hostname', what: label, why: HOSTNAME_WORDS[wrong as keyof typeof HOSTNAME_WORDS](id) }],
    );
  }

  /** The scripts look again for themselves, so a suspicion that is out of date by now changes nothing. */
  async #reconcile<T>(suspects: readonly T[], settleOne: (suspect: T) => Promise<unknown>): Promise<[T, unknown][]> {
    const outcomes: [T, unknown][] = [];
    for (const batch of batches(suspects)) {
      outcomes.push(
        ...(await Promise.all(
          batch.map(async (suspect): Promise<[T, unknown]> => [suspect, await settleOne(suspect)]),
        )),
      );
    }
    return outcomes;
  }

  /** Those that are there and can be read. */
  async #records(ids: readonly string[]): Promise<Instance[]> {
    const found: Instance[] = [];
    for (let at = 0; at < ids.length; at += SCAN_COUNT) {
      const texts = await this.#ask(() => this.#client.hmget(keys.instances, ...ids.slice(at, at + SCAN_COUNT)));
      for (const text of texts) {
        const record = text === null ? undefined : parseRecord(text, this.#log);
        if (record !== undefined) found.push(record);
      }
    }
    return found;
  }

  /** Some at a time: neither Valkey nor this process does nothing else meanwhile. */
  async #eachField(hash: string, rest: number, read: (field: string, text: string) => void): Promise<void> {
    let cursor = '0';
    do {
      const startedAt = performance.now();
      const [next, pairs] = await this.#ask(() => this.#client.hscan(hash, cursor, 'COUNT', SCAN_COUNT));
      for (let at = 0; at < pairs.length; at += 2) read(pairs[at] ?? '', pairs[at + 1] ?? '');
      cursor = next;
      if (rest > 0 && cursor !== '0') await sleep(Math.min((performance.now() - startedAt) * rest, LONGEST_REST_MS));
    } while (cursor !== '0');
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
    case 'ready':
      return 0;
    case 'assigned':
      return 1;
    case 'releasing':
    case 'quarantined':
      return 2;
    case 'warming':
      return WARMING;
    case undefined:
      return -1;
  }
}

function* batches<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += BATCH) yield items.slice(at, at + BATCH);
}

function flag(mode: Mode): string {
  return mode === 'look' ? '1' : '0';
}

function byId(records: readonly Instance[]): ReadonlyMap<string, Instance> {
  return new Map(records.map((record) => [record.id, record]));
}

function idsByTemplate(records: readonly Instance[]): ReadonlyMap<string, readonly string[]> {
  const ids = new Map<string, string[]>();
  for (const { template, id } of records) {
    const those = ids.get(template);
    if (those === undefined) ids.set(template, [id]);
    else those.push(id);
  }
  return ids;
}

/** For a suspicion: an entry that cannot be read is one, and the script decides. */
function leadsTo(entry: string, { node, port }: Instance): boolean {
  const leads = parseHostnameEntry(entry);
  return leads?.node === node && leads.port === port;
}

function indexWords(moves: readonly string[], template: string): string {
  const clauses = moves.map((move) => `${move.startsWith('+') ? 'not listed' : 'wrongly listed'} as ${move.slice(1)}`);
  return `${clauses.join(' and ')} among the instances of ${template}`;
}

/** Neighbours with the same trouble as one: an empty store lacks thousands. */
function inRuns(ports: readonly InconsistentPort[]): Inconsistency[] {
  const runs: { first: number; last: number; text: string; wrong: InconsistentPort['wrong'] }[] = [];
  for (const { port, text, wrong } of [...ports].sort((a, b) => a.port - b.port)) {
    const run = runs.at(-1);
    if (run?.wrong === wrong && run.last === port - 1) run.last = port;
    else runs.push({ first: port, last: port, text, wrong });
  }
  return runs.map(({ first, last, text, wrong }) => ({
    kind: 'port',
    what: first === last ? text : `${first}-${last}`,
    why: PORT_WORDS[wrong],
  }));
}
