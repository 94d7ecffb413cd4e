import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { eventually } from './eventually.ts';

const PATIENT = { timeoutMs: 60_000, everyMs: 100 };
/** An answer that a killed server never gives is not waited for longer. */
const ANSWER_TIMEOUT_MS = 20_000;

export interface Place {
  readonly api: string;
  /** Where Caddy answers. */
  readonly proxyPort: number;
}

interface Held {
  readonly id: string;
  readonly host: string;
  expiresAtMs: number;
  /** Which container answered first; from then on no other may. */
  container: string | undefined;
}

/**
 * Somebody who takes one instance by the API, asks again when an answer fails to come, and opens it through the proxy.
 */
export class Guest {
  readonly template: string;
  readonly #place: Place;
  readonly #key = randomUUID();
  #held: Held | undefined;

  constructor(place: Place, template: string) {
    this.#place = place;
    this.template = template;
  }

  get id(): string {
    return this.#mine().id;
  }

  get holds(): boolean {
    return this.#held !== undefined;
  }

  get expiresAtMs(): number {
    return this.#mine().expiresAtMs;
  }

  /** The answer's status; 200 and 201 make the instance theirs. Throws when there is no answer. */
  async take(): Promise<number> {
    const { status, body } = await this.#ask(
      'POST',
      '/acquire',
      { template: this.template },
      { 'idempotency-key': this.#key },
    );
    if (status !== 200 && status !== 201) return status;
    const { id, url, expires_at: expiresAt } = body as { id: string; url: string; expires_at: string };
    if (this.#held !== undefined && this.#held.id !== id)
      throw new Error(`the guest of ${this.#held.id} was given ${id} as well`);
    this.#held ??= { id, host: new URL(url).host, expiresAtMs: 0, container: undefined };
    this.#held.expiresAtMs = Date.parse(expiresAt);
    return status;
  }

  async takeEventually(): Promise<void> {
    await eventually(async () => {
      const status = await this.take();
      if (status >= 300) throw new Error(`acquire answered ${status}`);
    }, PATIENT);
  }

  async extend(minutes: number): Promise<number> {
    const { status, body } = await this.#ask('POST', `/${this.id}/extend`, { minutes });
    if (status === 200) this.#mine().expiresAtMs = Date.parse((body as { expires_at: string }).expires_at);
    return status;
  }

  async release(): Promise<number> {
    return (await this.#ask('DELETE', `/${this.id}`)).status;
  }

  /** Opens the app. Throws when it does not answer, or another container does than before. */
  async open(): Promise<void> {
    const held = this.#mine();
    const { status, body } = await this.#through(held);
    if (status !== 200)
      throw new Error(
        `the app of ${held.id} answers ${status}, with ${Math.round((held.expiresAtMs - Date.now()) / 1_000)} s left`,
      );
    const container = /"container":"([^"]+)"/.exec(body)?.[1] ?? /^HOSTNAME=(\S+)$/m.exec(body)?.[1];
    if (container === undefined)
      throw new Error(`the app of ${held.id} does not say in which container it runs: ${body}`);
    held.container ??= container;
    if (held.container !== container)
      throw new Error(`the app of ${held.id} ran in ${held.container}, and now in ${container}`);
  }

  /** Throws while the name still leads anywhere. */
  async isShut(): Promise<void> {
    const held = this.#mine();
    const { status } = await this.#through(held);
    if (status !== 404) throw new Error(`the address of ${held.id}, which has ended, answers ${status}`);
  }

  #mine(): Held {
    if (this.#held === undefined) throw new Error('this guest has no instance');
    return this.#held;
  }

  async #through({ host }: Held): Promise<{ status: number; body: string }> {
    const { statusCode, body } = await request(`http://127.0.0.1:${this.#place.proxyPort}/cgi-bin/env`, {
      headers: { host, accept: 'application/json' },
      headersTimeout: ANSWER_TIMEOUT_MS,
    });
    return { status: statusCode, body: await body.text() };
  }

  async #ask(
    method: 'POST' | 'DELETE',
    path: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.#place.api}/api/v1/demo${path}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }
}
