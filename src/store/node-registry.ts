import type { Redis as Valkey } from 'iovalkey';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { NodeRegistry } from '../pool/interfaces/node-registry.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { readNodeEntry } from './node-entries.ts';

export class ValkeyNodeRegistry implements NodeRegistry {
  readonly #client: Valkey;
  readonly #node: { readonly name: string; readonly address: string };

  constructor(client: Valkey, node: { readonly name: string; readonly address: string }) {
    this.#client = client;
    this.#node = node;
  }

  async announce(engine: ContainerRuntime['engine']): Promise<void> {
    try {
      await this.#client.hset(
        keys.nodes,
        this.#node.name,
        JSON.stringify({ v: 1, address: this.#node.address, engine, seenAtMs: Date.now() }),
      );
    } catch (error) {
      throw storeError(error);
    }
  }

  async announcements(): Promise<ReadonlyMap<string, string>> {
    try {
      return new Map(Object.entries(await this.#client.hgetall(keys.nodes)));
    } catch (error) {
      throw storeError(error);
    }
  }

  async engine(): Promise<ContainerRuntime['engine'] | undefined> {
    try {
      const text = await this.#client.hget(keys.nodes, this.#node.name);
      return text === null ? undefined : readNodeEntry(text)?.engine;
    } catch (error) {
      throw storeError(error);
    }
  }
}
