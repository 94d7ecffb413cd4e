import type { Redis as Valkey } from 'iovalkey';
import { Compile } from 'typebox/compile';
import {
  HEARTBEAT_LIFE_MS,
  Heartbeat,
  LOSS_REMEMBERED_MS,
  NODE_MODES,
  type FleetNode,
  type NodeControl,
  type NodeMode,
} from '../domain/node.ts';
import type { Log } from '../domain/log.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { LastHeard, NodeRegistry } from '../pool/interfaces/node-registry.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { readNodeAddress, readNodeEntry } from './node-entries.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import { storedNumber } from './stored-number.ts';
import { parseVersioned } from './versioned.ts';

const validator = Compile(Heartbeat);

/** Longer than a ticket waits for its turn as a rule; one that waits longer is counted no more. */
const PLACED_LIFE_MS = 2 * 60_000;
/** Nodes looked at in one call: keeps it below a millisecond of Valkey's time. */
const LOOK_BATCH = 50;

type Answer = readonly [
  beat: string,
  lifeLeftMs: number,
  mode: string,
  since: string,
  deadline: string,
  held: number,
  placed: number,
  freePorts: number,
  nowMs: number,
  lostSince: number | '',
  losses: number,
];

export class ValkeyNodeRegistry implements NodeRegistry {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #node: { readonly name: string; readonly address: string };
  readonly #log: Log;
  /** Each node's last text: planners look far more often than nodes say something new. */
  readonly #read = new Map<string, { readonly text: string; readonly heartbeat: Heartbeat | undefined }>();
  /** The last look at all, and when it began. */
  #seen: { readonly at: number; readonly nodes: readonly FleetNode[] } = { at: -Infinity, nodes: [] };

  constructor(client: Valkey, scripts: Scripts, node: { readonly name: string; readonly address: string }, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#node = node;
    this.#log = log;
  }

  async announce(engine: ContainerRuntime['engine']): Promise<void> {
    const { name, address } = this.#node;
    try {
      await this.#ask(() => this.#client.hset(keys.nodes, name, announcement(address, engine)));
    } catch (error) {
      // A start and a reconciliation do without where Valkey takes nothing new, as without memory.
      const before = readNodeEntry((await this.#ask(() => this.#client.hget(keys.nodes, name))) ?? '');
      if (before?.address !== address || before.engine !== engine) throw error;
    }
  }

  async engine(): Promise<ContainerRuntime['engine'] | undefined> {
    const text = await this.#ask(() => this.#client.hget(keys.nodes, this.#node.name));
    return text === null ? undefined : readNodeEntry(text)?.engine;
  }

  async beat(
    heartbeat: Heartbeat,
    over?: LastHeard,
  ): Promise<{ readonly wasLost: boolean; readonly other: LastHeard | undefined }> {
    const { name, address } = this.#node;
    const reply = await this.#scripts.run(
      'beat',
      [keys.heartbeat(name), keys.nodes, keys.lostNodes],
      [
        name,
        JSON.stringify(heartbeat),
        HEARTBEAT_LIFE_MS,
        announcement(address, heartbeat.engine),
        heartbeat.boot ?? '',
        over?.text ?? '',
      ],
    );
    return { wasLost: reply === FLAG.YES, other: typeof reply === 'string' ? heard(reply) : undefined };
  }

  async lastHeard(): Promise<LastHeard | undefined> {
    const text = await this.#ask(() => this.#client.get(keys.heartbeat(this.#node.name)));
    return text === null ? undefined : heard(text);
  }

  async noteLoss(name: string): Promise<boolean> {
    const reply = await this.#scripts.run(
      'note-loss',
      [keys.heartbeat(name), keys.nodes, keys.lostNodes, keys.losses(name)],
      [name, LOSS_REMEMBERED_MS],
    );
    return reply === FLAG.YES;
  }

  async names(): Promise<readonly string[]> {
    return this.#ask(() => this.#client.hkeys(keys.nodes));
  }

  async nodes(atMostAgoMs = 0): Promise<readonly FleetNode[]> {
    const askedAt = performance.now();
    if (askedAt - this.#seen.at <= atMostAgoMs) return this.#seen.nodes;
    const announced = new Map(Object.entries(await this.#ask(() => this.#client.hgetall(keys.nodes))));
    for (const name of this.#read.keys()) if (!announced.has(name)) this.#read.delete(name);
    const nodes = await this.#look([...announced].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.#seen = { at: askedAt, nodes };
    return nodes;
  }

  async node(name: string): Promise<FleetNode | undefined> {
    const text = await this.#ask(() => this.#client.hget(keys.nodes, name));
    return text === null ? undefined : (await this.#look([[name, text]]))[0];
  }

  async control(name: string, mode: NodeMode, withinMs?: number): Promise<void> {
    await this.#scripts.run(
      'control-pool',
      [keys.nodeControl(name)],
      [mode === 'active' ? 'open' : mode, withinMs ?? '', ''],
    );
  }

  async place(name: string, tickets: readonly string[]): Promise<void> {
    await this.#scripts.run('place-tickets', [keys.placed(name)], [PLACED_LIFE_MS, ...tickets]);
  }

  async remove(name: string, templates: readonly string[]): Promise<boolean> {
    const reply = await this.#scripts.run(
      'remove-node',
      [
        keys.heartbeat(name),
        keys.nodes,
        keys.lostNodes,
        keys.nodeControl(name),
        keys.losses(name),
        keys.placed(name),
        keys.availablePorts(name),
        keys.coolingPorts(name),
        keys.heldPorts(name),
        keys.imageSeen(name),
        keys.pulledImages(name),
        ...templates.map((template) => keys.restorePause(template, name)),
      ],
      [name],
    );
    return reply === FLAG.YES;
  }

  /** `announced`: each node's name with its announcement. */
  async #look(announced: readonly (readonly [name: string, text: string])[]): Promise<FleetNode[]> {
    const found: FleetNode[] = [];
    for (let at = 0; at < announced.length; at += LOOK_BATCH) {
      const batch = announced.slice(at, at + LOOK_BATCH);
      const answers = (await this.#scripts.run(
        'look-at-nodes',
        [
          keys.lostNodes,
          ...batch.flatMap(([name]) => [
            keys.heartbeat(name),
            keys.nodeControl(name),
            keys.heldPorts(name),
            keys.placed(name),
            keys.availablePorts(name),
            keys.coolingPorts(name),
            keys.losses(name),
          ]),
        ],
        batch.map(([name]) => name),
      )) as Answer[];
      for (const [index, [name, text]] of batch.entries()) {
        const answer = answers[index];
        if (answer !== undefined) found.push(this.#nodeOf(name, text, answer));
      }
    }
    return found;
  }

  #nodeOf(name: string, announced: string, answer: Answer): FleetNode {
    const [text, lifeLeftMs, mode, since, deadline, held, placed, freePorts, now, lostSince, losses] = answer;
    const heartbeat = text === '' ? undefined : this.#heartbeat(name, text);
    return {
      name,
      address: heartbeat?.address ?? readNodeAddress(announced),
      heartbeat,
      heartbeatAgeMs: text === '' ? undefined : Math.max(0, HEARTBEAT_LIFE_MS - lifeLeftMs),
      lostForMs: text !== '' || lostSince === '' ? undefined : Math.max(0, now - lostSince),
      losses,
      control: controlOf(mode, since, deadline, now),
      held,
      placed,
      freePorts,
    };
  }

  #heartbeat(name: string, text: string): Heartbeat | undefined {
    const before = this.#read.get(name);
    if (before?.text === text) return before.heartbeat;
    const value: unknown = parseVersioned(text);
    const heartbeat = validator.Check(value) ? value : undefined;
    if (heartbeat === undefined && (before === undefined || before.heartbeat !== undefined))
      this.#log.warn({ node: name }, 'The heartbeat of a node is damaged, or of another version; it counts as silent');
    this.#read.set(name, { text, heartbeat });
    return heartbeat;
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}

function heard(text: string): LastHeard {
  const { boot, host, address } = parseVersioned(text) ?? {};
  const word = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return { text, boot: word(boot), host: word(host), address: word(address) };
}

function announcement(address: string, engine: string): string {
  return JSON.stringify({ v: 1, address, engine, seenAtMs: Date.now() });
}

function controlOf(stored: string, since: string, deadline: string, nowMs: number): NodeControl {
  const mode = NODE_MODES.find((each) => each === stored) ?? 'active';
  const deadlineMs = storedNumber(deadline);
  return { mode, sinceMs: storedNumber(since), deadlineMs, overdue: deadlineMs !== undefined && deadlineMs <= nowMs };
}
