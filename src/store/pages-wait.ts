import type { Redis as Valkey } from 'iovalkey';
import type { PagesWait } from '../pool/interfaces/pages-wait.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import type { Scripts } from './scripts.ts';

/** Longer than pages wait, and than servers are usually away: one that comes back after it begins the wait again. */
const FORGOTTEN_AFTER_MS = 7 * 24 * 3_600_000;

/** Outlives restarts, other leaders and absences of Valkey. */
export class ValkeyPagesWait implements PagesWait {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #key: string;

  /** @param task - the proxy's, as servers agree on who looks after it. */
  constructor(client: Valkey, scripts: Scripts, task: string) {
    this.#client = client;
    this.#scripts = scripts;
    this.#key = keys.pagesWait(task);
  }

  async waitedMs(): Promise<number> {
    return Number(await this.#scripts.run('wait-with-pages', [this.#key], [FORGOTTEN_AFTER_MS]));
  }

  async end(): Promise<void> {
    try {
      await this.#client.del(this.#key);
    } catch (error) {
      throw storeError(error);
    }
  }
}
