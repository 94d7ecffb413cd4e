import { Agent, request } from 'undici';
import type { Challenge } from '../../../packages/client/src/proof.ts';

/** What asking for an instance, or for a page in it, came to. Times by performance.now(). */
export interface Asked {
  readonly atMs: number;
  readonly tookMs: number;
  /** `ok`, the code of a refusal, `status <n>`, `hung` or `unreachable`. */
  readonly outcome: string;
}

export interface Acquired {
  readonly id: string;
  /** As `<label>.<base domain>:<port>`. */
  readonly host: string;
}

export interface Place {
  readonly api: string;
  readonly proxyPort: number;
  /** As their browser does. */
  readonly solve: (challenge: Challenge) => Promise<string>;
}

/** A visitor would have closed the tab by then. */
const HUNG_AFTER_MS = 10_000;
const CONNECTIONS = 256;

/** One who comes from an address of their own, and does what the start page's scripts do for a browser. */
export class Visitor {
  readonly #place: Place;
  readonly #address: string;
  readonly #agent: Agent;

  constructor(place: Place, address: string, agent: Agent) {
    this.#place = place;
    this.#address = address;
    this.#agent = agent;
  }

  /** `solves`: the challenge it may be given; the time for that counts. */
  async acquire(
    template: string,
    { solves = true } = {},
  ): Promise<{ readonly asked: Asked; readonly acquired: Acquired | undefined }> {
    let acquired: Acquired | undefined;
    const asked = await timed(async () => {
      let answer = await this.#ask('POST', '/api/v1/demo/acquire', { template });
      if (answer.challenge !== undefined && solves) {
        const altcha = await this.#place.solve(answer.challenge);
        answer = await this.#ask('POST', '/api/v1/demo/acquire', { template, altcha });
      }
      if (answer.id === undefined || answer.url === undefined) return answer.code ?? `status ${answer.status}`;
      acquired = { id: answer.id, host: new URL(answer.url).host };
      return 'ok';
    });
    return { asked, acquired };
  }

  /** A page of the instance, through Caddy. */
  async open({ host }: Acquired, path: string, timeoutMs = HUNG_AFTER_MS): Promise<Asked> {
    return timed(async () => {
      const { statusCode, body } = await request(`http://127.0.0.1:${this.#place.proxyPort}${path}`, {
        dispatcher: this.#agent,
        headers: { host, accept: 'text/html' },
        signal: AbortSignal.timeout(timeoutMs),
      });
      await body.dump();
      return statusCode === 200 ? 'ok' : `status ${statusCode}`;
    });
  }

  async holds({ id }: Acquired): Promise<boolean> {
    const { status } = await this.#ask('GET', `/api/v1/demo/${id}`);
    return status === 200;
  }

  /** Resolves also when it is gone already. */
  async release({ id }: Acquired): Promise<void> {
    await this.#ask('DELETE', `/api/v1/demo/${id}`);
  }

  async #ask(method: 'GET' | 'POST' | 'DELETE', path: string, json?: object): Promise<Answer> {
    const { statusCode, body } = await request(`${this.#place.api}${path}`, {
      method,
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(HUNG_AFTER_MS),
      headers: {
        'x-forwarded-for': this.#address,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const text = await body.text();
    return { status: statusCode, ...(text === '' ? {} : (JSON.parse(text) as object)) };
  }
}

interface Answer {
  readonly status: number;
  readonly id?: string;
  readonly url?: string;
  readonly code?: string;
  readonly challenge?: Challenge;
}

export function newAgent(): Agent {
  return new Agent({ connections: CONNECTIONS, headersTimeout: 0, bodyTimeout: 0 });
}

async function timed(operation: () => Promise<string>): Promise<Asked> {
  const atMs = performance.now();
  const outcome = await operation().catch((error: unknown) =>
    error instanceof Error && error.name === 'TimeoutError' ? 'hung' : 'unreachable',
  );
  return { atMs, tookMs: performance.now() - atMs, outcome };
}

/** Addresses that nobody has (RFC 2544), another one at every call. */
export function addressesFrom(network: 18 | 19): () => string {
  let number = 0;
  return () => {
    number += 1;
    return `198.${network}.${(number >> 8) & 255}.${number & 255}`;
  };
}
