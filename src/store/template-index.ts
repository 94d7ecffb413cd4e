import type { Redis as Valkey } from 'iovalkey';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

/** The templates the store has entries for, also those that left the catalogue while instances of theirs live on. */
export class TemplateIndex {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async names(): Promise<string[]> {
    try {
      return await this.#client.smembers(keys.templates);
    } catch (error) {
      throw storeError(error);
    }
  }
}
