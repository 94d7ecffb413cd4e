import { Agent, request } from 'undici';
import type { Proxy } from '../../fleet/visits.ts';
import { sleep } from '../../../src/lifecycle/sleep.ts';
import { OwnTime } from '../../support/own-time.ts';

/** What came of asking the API. Times by performance.now(). */
export interface Asked {
  readonly atMs: number;
  readonly tookMs: number;
  /** `ok`, the code of a refusal, or `nobody` when neither the request nor its one repetition was answered. */
  readonly outcome: 'ok' | 'nobody' | (string & {});
  readonly repeated: boolean;
  readonly answer: Answer;
}

interface Answer {
  readonly id?: string;
  readonly url?: string;
  readonly code?: string;
  readonly retry_after_seconds?: number;
}

/** What those who come back once, when they are told to, need not notice: nobody, or no store, to serve them. */
const COMES_BACK: ReadonlySet<string | undefined> = new Set(['no_server', 'store_unavailable']);

/** Whether a server decided about it, and not only a load balancer that found none, or a server without a store. */
export function isServed({ outcome }: Asked): boolean {
  return outcome !== 'nobody' && outcome !== 'no_server' && !outcome.endsWith('_unavailable');
}

/** What came of opening a page. */
export interface Look {
  readonly atMs: number;
  readonly tookMs: number;
  /** Undefined: no page came, by the first proxy or by the other. */
  readonly title: string | undefined;
  /** Why not, or what the first proxy did where the page came by the other. */
  readonly trouble: string | undefined;
}

/** Longer than the load balancer looks for a server. */
const ANSWER_MS = 10_000;
/** What a visitor sees whose host is lost. */
export const OFFERED = 'another is offered';
const PAGE_MS = 2_000;
const TRIES = 2;
const CONNECTIONS = 256;

/** Where clients ask: the API through the load balancer, pages through one of several proxies. */
export class Client implements AsyncDisposable {
  readonly #balancer: string;
  readonly #proxies: readonly Proxy[];
  readonly #agent = new Agent({ connections: CONNECTIONS, headersTimeout: 0, bodyTimeout: 0 });
  readonly #time = new OwnTime();

  constructor(balancer: string, proxies: readonly Proxy[]) {
    this.#balancer = balancer;
    this.#proxies = proxies;
  }

  async acquire(template: string, key: string): Promise<Asked> {
    return this.#ask('POST', 'acquire', { template }, { 'idempotency-key': key });
  }

  async extend(id: string, minutes: number): Promise<Asked> {
    return this.#ask('POST', `${id}/extend`, { minutes });
  }

  async release(id: string): Promise<Asked> {
    return this.#ask('DELETE', id);
  }

  /** By the proxy of that number; where no page comes of that, once more by the next one. */
  async open(host: string, proxy: number): Promise<Look> {
    const atMs = performance.now();
    const troubles: string[] = [];
    while (troubles.length < TRIES) {
      const seen = await this.openBy(host, proxy + troubles.length);
      if (seen.title !== undefined)
        return { atMs, tookMs: performance.now() - atMs, title: seen.title, trouble: troubles[0] };
      troubles.push(seen.trouble);
    }
    return { atMs, tookMs: performance.now() - atMs, title: undefined, trouble: troubles.join(', then ') };
  }

  async openBy(
    host: string,
    proxy: number,
  ): Promise<{ readonly title: string } | { readonly title: undefined; readonly trouble: string }> {
    const { address, port } = this.#proxies[proxy % this.#proxies.length] ?? { address: '', port: 0 };
    try {
      const { statusCode, body } = await request(`http://${address}:${port}/`, {
        dispatcher: this.#agent,
        headers: { host, accept: 'text/html' },
        signal: this.#time.limit(PAGE_MS),
      });
      const text = await body.text();
      const title = statusCode === 200 ? /<title>(.*)<\/title>/.exec(text)?.[1] : undefined;
      if (title !== undefined) return { title };
      return { title, trouble: statusCode === 503 && text.includes('/again/') ? OFFERED : `status ${statusCode}` };
    } catch (error) {
      return { title: undefined, trouble: troubleOf(error) };
    }
  }

  async #ask(
    method: 'POST' | 'DELETE',
    path: string,
    json?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Asked> {
    const atMs = performance.now();
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#once(method, path, json, headers);
      const told = answer !== undefined && COMES_BACK.has(answer.code);
      if ((answer !== undefined && !told) || tries === TRIES)
        return {
          atMs,
          tookMs: performance.now() - atMs,
          outcome: answer === undefined ? 'nobody' : (answer.code ?? 'ok'),
          repeated: tries > 1,
          answer: answer ?? {},
        };
      await sleep((answer?.retry_after_seconds ?? 0) * 1_000);
    }
  }

  /** Undefined without an answer. */
  async #once(
    method: 'POST' | 'DELETE',
    path: string,
    json: object | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer | undefined> {
    try {
      const { statusCode, body } = await request(`${this.#balancer}/api/v1/demo/${path}`, {
        method,
        dispatcher: this.#agent,
        signal: this.#time.limit(ANSWER_MS),
        headers: { ...headers, ...(json === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      });
      const text = await body.text();
      if (statusCode < 300) return text === '' ? {} : (JSON.parse(text) as Answer);
      return text.startsWith('{') ? (JSON.parse(text) as Answer) : undefined;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#time[Symbol.dispose]();
    await this.#agent.destroy();
  }
}

function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, cause } = error;
  if (name === 'TimeoutError' || (cause instanceof Error && cause.name === 'TimeoutError')) return 'no answer';
  return 'code' in error ? String(error.code) : name;
}
