import { sleep } from '../../src/lifecycle/sleep.ts';
import type { World } from '../drills/outage-world.ts';
import { Guest } from '../support/guest.ts';
import type { Random } from './chaos.ts';

const TEMPLATE = 'tiny';
const EXTEND_MINUTES = 1;
/** Between an end that was announced and one that is seen. */
const LEEWAY_MS = 1_000;

/** Steady visitors: each takes an instance and opens it; some extend it, some give it back, the rest let it expire. */
export class Load {
  readonly counts = new Map<string, number>();
  /** What no kill explains. */
  readonly wrongs: string[] = [];
  readonly #world: World;
  readonly #random: Random;
  readonly #given = new Map<string, Guest>();
  readonly #underway = new Set<Promise<void>>();

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  async run(arrivalsPerSecond: number, until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const visit = this.#visit()
        .catch((error: unknown) => {
          this.wrongs.push(String(error));
        })
        .finally(() => this.#underway.delete(visit));
      this.#underway.add(visit);
      await sleep((2 * this.#random() * 1_000) / arrivalsPerSecond, until).catch(() => undefined);
    }
    await Promise.all(this.#underway);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  async #visit(): Promise<void> {
    const guest = new Guest(this.#world, TEMPLATE);
    const status = await guest.take().catch(() => undefined);
    if (!guest.holds) {
      this.#count(status === undefined ? 'nobody there' : status === 503 ? 'told to come again' : `answered ${status}`);
      if (status !== undefined && status !== 503) this.wrongs.push(`taking an instance was answered ${status}`);
      return;
    }
    this.#count('taken');
    if (this.#given.has(guest.id)) this.wrongs.push(`instance ${guest.id} was given to two`);
    this.#given.set(guest.id, guest);
    await this.#open(guest);
    const choice = this.#random();
    if (choice < 0.4) await this.#try('extended', () => guest.extend(EXTEND_MINUTES));
    if (choice < 0.2 || choice > 0.7) {
      await sleep(this.#random() * 1_500);
      await this.#try('given back', () => guest.release());
    } else {
      await this.#open(guest);
    }
  }

  async #open(guest: Guest): Promise<void> {
    if (guest.expiresAtMs - Date.now() < LEEWAY_MS) return;
    await this.#try('opened', () => guest.open());
  }

  /** Kills and restarts make some of it fail; how much, is in the table. */
  async #try(what: string, work: () => Promise<unknown>): Promise<void> {
    await work().then(
      () => this.#count(what),
      () => this.#count(`not ${what}`),
    );
  }
}
