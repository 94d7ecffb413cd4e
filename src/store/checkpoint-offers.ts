import type { Redis as Valkey } from 'iovalkey';
import { Compile } from 'typebox/compile';
import { CheckpointOffer } from '../domain/checkpoint.ts';
import type { CheckpointOffers } from '../pool/interfaces/checkpoint-offers.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { parseVersioned } from './versioned.ts';

const validator = Compile(CheckpointOffer);

export class ValkeyCheckpointOffers implements CheckpointOffers {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async list(): Promise<ReadonlyMap<string, CheckpointOffer>> {
    const texts = await this.#ask(() => this.#client.hgetall(keys.checkpointOffers));
    return new Map(
      Object.entries(texts).flatMap(([id, text]) => {
        const value: unknown = parseVersioned(text);
        return validator.Check(value) && value.metadata.id === id ? [[id, value] as const] : [];
      }),
    );
  }

  async offer(offer: CheckpointOffer): Promise<void> {
    await this.#ask(() => this.#client.hset(keys.checkpointOffers, offer.metadata.id, JSON.stringify(offer)));
  }

  async withdraw(id: string): Promise<void> {
    await this.#ask(() => this.#client.hdel(keys.checkpointOffers, id));
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}
