import { Redis as Valkey } from 'iovalkey';
import { keys } from '../../../src/store/keys.ts';
import { MASTER, PORTS } from '../../fleet/surroundings.ts';

/** What of a record the drill is about. */
export interface Entry {
  readonly id: string;
  readonly label: string;
  readonly node: string;
  readonly container: string;
  readonly state: string;
  readonly port: number | null;
  readonly reason: string | null;
}

/** What a node's ports are recorded as. */
export interface Ports {
  readonly available: readonly string[];
  readonly cooling: readonly string[];
  /** By port, who has it. */
  readonly held: Readonly<Record<string, string>>;
}

const CONNECT_MS = 1_000;
const ANSWER_MS = 2_000;

/** What is recorded, read past the program: at the Valkey that the Sentinels call the primary. */
export class RecordedState implements Disposable {
  readonly #sentinels: readonly { readonly host: string; readonly port: number }[];
  #client: Valkey | undefined;

  constructor(hosts: readonly string[]) {
    this.#sentinels = hosts.map((host) => ({ host, port: PORTS.sentinel }));
  }

  async records(): Promise<readonly Entry[]> {
    const texts = await this.#read((valkey) => valkey.hvals(keys.instances));
    return texts.map((text) => JSON.parse(text) as Entry);
  }

  /** By label, the id, node and port that a name leads to. */
  async names(): Promise<ReadonlyMap<string, Pick<Entry, 'id' | 'node' | 'port'>>> {
    const texts = await this.#read((valkey) => valkey.hgetall(keys.hostnames));
    return new Map(
      Object.entries(texts).map(([label, text]) => [label, JSON.parse(text) as Pick<Entry, 'id' | 'node' | 'port'>]),
    );
  }

  /** How many are on their way. */
  async tickets(template: string): Promise<number> {
    return this.#read((valkey) => valkey.zcard(keys.warming(template)));
  }

  async ports(node: string): Promise<Ports> {
    return this.#read(async (valkey) => ({
      available: await valkey.smembers(keys.availablePorts(node)),
      cooling: await valkey.zrange(keys.coolingPorts(node), 0, -1),
      held: await valkey.hgetall(keys.heldPorts(node)),
    }));
  }

  /** As if these nodes had not been lost before: one that comes and goes is given nothing for ten minutes. */
  async forgetLosses(nodes: readonly string[]): Promise<void> {
    await this.#read((valkey) => valkey.del(...nodes.map(keys.losses)));
  }

  /** After any failure the Sentinels are asked again. */
  async #read<T>(how: (valkey: Valkey) => Promise<T>): Promise<T> {
    const client = this.#client ?? this.#connect();
    this.#client = client;
    try {
      return await how(client);
    } catch (error) {
      client.disconnect();
      if (this.#client === client) this.#client = undefined;
      throw error;
    }
  }

  #connect(): Valkey {
    const client = new Valkey({
      sentinels: [...this.#sentinels],
      name: MASTER,
      connectTimeout: CONNECT_MS,
      commandTimeout: ANSWER_MS,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      sentinelRetryStrategy: () => null,
    });
    // What was asked over it tells.
    client.on('error', () => undefined);
    return client;
  }

  [Symbol.dispose](): void {
    this.#client?.disconnect();
  }
}
