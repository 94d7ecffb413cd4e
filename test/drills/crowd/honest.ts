import type { Agent } from 'undici';
import { sleep } from '../../../src/lifecycle/sleep.ts';
import { Visitor, type Acquired, type Asked, type Place } from './visitor.ts';

export interface Page extends Asked {
  /** `plain` is a file of the app; `database` reads the instance's own database. */
  readonly kind: 'plain' | 'database';
}

const APPS = [
  { template: 'tiny', pages: [['plain', '/']] },
  {
    template: 'shop',
    pages: [
      ['plain', '/'],
      ['database', '/cgi-bin/notes'],
    ],
  },
] as const;

const STAYS_MS = 45_000;
const THINKS_MS = 2_000;
const AWAY_MS = 30_000;
const RETRY_MS = 5_000;

/** So many people at once, each of whom comes, opens a page every other second, leaves, and comes again. */
export class HonestVisitors {
  readonly acquires: Asked[] = [];
  readonly pages: Page[] = [];
  readonly #place: Place;
  readonly #agent: Agent;
  readonly #address: () => string;

  constructor(place: Place, agent: Agent, address: () => string) {
    this.#place = place;
    this.#agent = agent;
    this.#address = address;
  }

  /** Resolves when the last has left. */
  async come(count: number, over: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, at) => this.#visits(at, count, over)));
  }

  /** They come one after the other, not as one. */
  async #visits(at: number, count: number, over: AbortSignal): Promise<void> {
    const { template, pages } = at % 2 === 0 ? APPS[0] : APPS[1];
    await sleep((at * AWAY_MS) / count, over);
    while (!over.aborted) {
      const visitor = new Visitor(this.#place, this.#address(), this.#agent);
      const { asked, acquired } = await visitor.acquire(template);
      this.acquires.push(asked);
      if (acquired === undefined) {
        await sleep(RETRY_MS, over);
        continue;
      }
      await this.#stay(visitor, acquired, pages, over);
      await visitor.release(acquired).catch(() => undefined);
      await sleep(AWAY_MS, over);
    }
  }

  async #stay(
    visitor: Visitor,
    acquired: Acquired,
    pages: readonly (readonly [Page['kind'], string])[],
    over: AbortSignal,
  ): Promise<void> {
    const leavesAtMs = performance.now() + STAYS_MS;
    while (performance.now() < leavesAtMs && !over.aborted) {
      for (const [kind, path] of pages) this.pages.push({ kind, ...(await visitor.open(acquired, path)) });
      await sleep(THINKS_MS, over);
    }
  }
}
