import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { describeError } from '../../src/domain/errors.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';

const EVERY_MS = 100;
/** Whoever gets nothing for so long has lost it: a pool that stays empty is told, and not waited for. */
const MOST_PATIENCE_MS = 60_000;

export interface HandedOut {
  readonly id: string;
  readonly url: string;
  readonly countdown_url: string;
}

/** Visitors who come at a steady pace, however long the others before them are served, and ask twice for everything. */
export class PatientCrowd {
  /** What a client that asks twice did not get. */
  readonly lost: string[] = [];
  /** By instance, the click that it was handed to. */
  readonly handedOut = new Map<string, string>();
  /** Who was answered the second time only. */
  repeated = 0;
  readonly #places: { readonly url: string; readonly proxyPort: number };
  readonly #visits: Promise<void>[] = [];
  readonly #leaving = new AbortController();

  /** The load balancer of the servers, and where Caddy answers visitors of instances. */
  constructor(places: { readonly url: string; readonly proxyPort: number }) {
    this.#places = places;
  }

  async come(): Promise<void> {
    while (!this.#leaving.signal.aborted) {
      this.#visits.push(this.#visit());
      await sleep(EVERY_MS, this.#leaving.signal);
    }
    await Promise.all(this.#visits);
  }

  stop(): void {
    this.#leaving.abort();
  }

  async acquire(): Promise<HandedOut | undefined> {
    const key = randomUUID();
    const until = performance.now() + MOST_PATIENCE_MS;
    for (;;) {
      const answer = await this.#ask('acquire', 'POST', { 'idempotency-key': key });
      // Who is told that there is none just now lost nothing, and asks again.
      if (answer?.status === 503) {
        if (performance.now() > until) {
          this.lost.push(`none was ready for ${MOST_PATIENCE_MS / 1_000} s: ${answer.text.slice(0, 400)}`);
          return undefined;
        }
        await sleep(EVERY_MS);
        continue;
      }
      if (answer === undefined) return undefined;
      const instance = JSON.parse(answer.text) as HandedOut;
      const before = this.handedOut.get(instance.id);
      if (before !== undefined && before !== key) this.lost.push(`${instance.id} was handed out twice`);
      this.handedOut.set(instance.id, key);
      return instance;
    }
  }

  /** As whoever has an instance open: how often its page did not come. */
  async browse(instance: HandedOut, until: AbortSignal): Promise<string[]> {
    const failures: string[] = [];
    while (!until.aborted) {
      const failure = await this.#open(instance);
      if (failure !== undefined) failures.push(failure);
      await sleep(EVERY_MS, until);
    }
    return failures;
  }

  async #visit(): Promise<void> {
    const instance = await this.acquire();
    if (instance === undefined) return;
    const failure = await this.#open(instance);
    if (failure !== undefined) this.lost.push(`the page of ${instance.id}: ${failure}`);
    await this.#ask(`${instance.id}/extend`, 'POST', { 'content-type': 'application/json' }, '{"minutes":1}');
    await this.#ask(instance.id, 'DELETE');
  }

  async #open({ url }: HandedOut): Promise<string | undefined> {
    try {
      const answer = await request(`http://127.0.0.1:${this.#places.proxyPort}/`, {
        headers: { host: new URL(url).host },
      });
      await answer.body.dump();
      return answer.statusCode === 200 ? undefined : String(answer.statusCode);
    } catch (error) {
      return describeError(error);
    }
  }

  /** Undefined for what failed twice. */
  async #ask(
    path: string,
    method: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string,
  ): Promise<{ readonly status: number; readonly text: string } | undefined> {
    const failures: string[] = [];
    while (failures.length < 2) {
      try {
        const init = { method, headers, ...(body === undefined ? {} : { body }) };
        const answer = await fetch(`${this.#places.url}/api/v1/demo/${path}`, init);
        const text = await answer.text();
        if (answer.ok || text.includes('"pool_empty"')) {
          this.repeated += failures.length;
          return { status: answer.status, text };
        }
        failures.push(`${answer.status} ${text}`);
      } catch (error) {
        failures.push(String((error as Error).cause ?? error));
      }
    }
    this.lost.push(`${method} ${path}: ${failures.join('; then ')}`);
    return undefined;
  }
}
