import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { describeError } from '../../../src/domain/errors.ts';
import { sleep } from '../../../src/lifecycle/sleep.ts';
import { eventually } from '../../support/eventually.ts';
import { isServed, type Asked, type Client, type Look } from './client.ts';

/** Somebody in an instance, and all they saw there. */
export interface Visit {
  readonly id: string;
  readonly host: string;
  readonly looks: Look[];
  /** What extending and releasing were refused with. */
  readonly refusals: string[];
  readonly resident: boolean;
  over: boolean;
}

const STAY_MS = 2_500;
const LOOK_EVERY_MS = 500;
const MINUTES = 1;
const SETTLE_MS = 120_000;

/** Visitors who come at a steady pace, whatever becomes of those before them; and residents, who stay until told. */
export class Crowd implements AsyncDisposable {
  readonly acquires: Asked[] = [];
  readonly visits: Visit[] = [];
  /** What was seen that must never be, in words. */
  readonly problems: string[] = [];
  readonly #client: Client;
  readonly #template: string;
  readonly #underWay = new Set<Promise<void>>();
  /** The keys of requests that were not answered: each may have been given something. */
  readonly #unanswered = new Set<string>();
  readonly #keyOf = new Map<string, string>();
  readonly #idOf = new Map<string, string>();
  readonly #leaving = new AbortController();
  #ticker: NodeJS.Timeout | undefined;
  #came = 0;

  constructor(client: Client, template: string) {
    this.#client = client;
    this.#template = template;
    setMaxListeners(0, this.#leaving.signal);
  }

  get residents(): readonly Visit[] {
    return this.visits.filter(({ resident, over }) => resident && !over);
  }

  /** From now on so many a second. */
  come(perSecond: number): void {
    this.#ticker = setInterval(() => this.#track(this.#visit()), 1_000 / perSecond);
  }

  /** Resolves when all have left but the residents, and nobody has anything without knowing. */
  async pause(): Promise<void> {
    clearInterval(this.#ticker);
    while (this.#underWay.size > this.residents.length) await sleep(20);
    for (const key of this.#unanswered) this.#track(this.#giveBack(key));
    while (this.#underWay.size > this.residents.length) await sleep(20);
  }

  /** Until on each of the nodes there are so many residents; `nodeOf` is asked again until it knows. */
  async settle(nodes: readonly string[], count: number, nodeOf: (id: string) => string | undefined): Promise<void> {
    const spare: Visit[] = [];
    const homeOf = ({ id }: Visit): Promise<string> =>
      eventually(() => nodeOf(id) ?? Promise.reject(new Error(`nobody knows where ${id} is`)));
    const free = new Map(nodes.map((node) => [node, count]));
    const take = (node: string): boolean => {
      const left = free.get(node) ?? 0;
      free.set(node, Math.max(0, left - 1));
      return left > 0;
    };
    for (const visit of this.residents) take(await homeOf(visit));
    try {
      await eventually(
        async () => {
          while ([...free.values()].some((left) => left > 0)) {
            const visit = await this.#acquire(true);
            if (visit === undefined)
              throw new Error(`a resident got no instance: ${JSON.stringify(this.acquires.at(-1))}`);
            if (take(await homeOf(visit))) this.#track(this.#live(visit));
            else spare.push(visit);
          }
        },
        { timeoutMs: SETTLE_MS, everyMs: 500 },
      );
    } finally {
      await Promise.all(spare.map((visit) => this.#leave(visit)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#ticker);
    this.#leaving.abort();
    await Promise.all(this.#underWay);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.problems.push(describeError(error));
      })
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  async #visit(): Promise<void> {
    const visit = await this.#acquire(false);
    if (visit !== undefined) await this.#live(visit);
  }

  async #acquire(resident: boolean): Promise<Visit | undefined> {
    const key = randomUUID();
    const asked = await this.#client.acquire(this.#template, key);
    this.acquires.push(asked);
    // A server that hangs may carry out the first request, of two, when it goes on, also after the visit has ended.
    if (asked.repeated) this.#unanswered.add(key);
    const { id, url } = asked.answer;
    if (id === undefined || url === undefined) return undefined;
    this.#holdsAlone(this.#keyOf, id, key);
    const visit = { id, host: new URL(url).host, looks: [], refusals: [], resident, over: false };
    this.visits.push(visit);
    return visit;
  }

  async #live(visit: Visit): Promise<void> {
    this.#came += 1;
    const proxy = this.#came;
    const untilMs = performance.now() + STAY_MS;
    let extended = visit.resident;
    while (!visit.over && !this.#leaving.signal.aborted && (visit.resident || performance.now() < untilMs)) {
      const look = await this.#client.open(visit.host, proxy);
      visit.looks.push(look);
      if (look.title !== undefined) this.#holdsAlone(this.#idOf, look.title, visit.id);
      if (!extended && performance.now() > untilMs - STAY_MS / 2) {
        extended = true;
        this.#note(visit, 'extend', await this.#client.extend(visit.id, MINUTES));
      }
      await sleep(LOOK_EVERY_MS, this.#leaving.signal);
    }
    if (visit.resident) return;
    await this.#leave(visit);
  }

  async #leave(visit: Visit): Promise<void> {
    visit.over = true;
    this.#note(visit, 'release', await this.#release(visit.id));
  }

  /** As a decent client: what nobody served is tried until somebody does. */
  #release(id: string): Promise<Asked> {
    return eventually(async () => {
      const asked = await this.#client.release(id);
      if (!isServed(asked)) throw new Error(`${id} cannot be given back: ${asked.outcome}`);
      return asked;
    });
  }

  #note(visit: Visit, what: string, { outcome }: Asked): void {
    if (outcome !== 'ok') visit.refusals.push(`${what}: ${outcome}`);
  }

  /** Whoever asked under this key may have been given an instance all the same. */
  async #giveBack(key: string): Promise<void> {
    await eventually(async () => {
      const { outcome, answer } = await this.#client.acquire(this.#template, key);
      if (outcome !== 'ok' && outcome !== 'pool_empty') throw new Error(`nobody says what ${key} has: ${outcome}`);
      if (answer.id !== undefined) {
        this.#holdsAlone(this.#keyOf, answer.id, key);
        await this.#release(answer.id);
      }
    });
    this.#unanswered.delete(key);
  }

  #holdsAlone(owners: Map<string, string>, what: string, owner: string): void {
    const before = owners.get(what);
    if (before !== undefined && before !== owner) this.problems.push(`${what} is held by ${before} and by ${owner}`);
    owners.set(what, owner);
  }
}
