import { randomBytes } from 'node:crypto';
import type { Redis as Valkey } from 'iovalkey';
import type { ChallengeStore } from '../pool/interfaces/challenge-store.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

const SECRET = /^[0-9a-f]{64}$/;

/** Read each time: a store that came back without the secret has another for all servers, not for some. */
export class ValkeyChallengeStore implements ChallengeStore {
  readonly #client: Valkey;

  constructor(client: Valkey) {
    this.#client = client;
  }

  async secret(): Promise<string> {
    try {
      const known = await this.#client.get(keys.gateSecret);
      if (known !== null && SECRET.test(known)) return known;
      // What else stands there was not drawn by us, and anybody may know it.
      if (known !== null) await this.#client.del(keys.gateSecret);
      await this.#client.set(keys.gateSecret, randomBytes(32).toString('hex'), 'NX');
      return (await this.#client.get(keys.gateSecret)) ?? (await this.secret());
    } catch (error) {
      throw storeError(error);
    }
  }

  async spend(challenge: string, forMs: number): Promise<boolean> {
    try {
      return (await this.#client.set(keys.spentChallenge(challenge), '1', 'PX', forMs, 'NX')) === 'OK';
    } catch (error) {
      throw storeError(error);
    }
  }
}
