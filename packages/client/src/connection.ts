import { EventSource } from 'eventsource';
import createClient, { type Client } from 'openapi-fetch';
import type { paths } from './api.ts';
import { noAnswer, ProblemError, problemOf } from './problem-error.ts';

export interface ConnectionOptions {
  /** Where the server answers, such as `https://try.example.org`. */
  readonly url: string;
  /** Needed only where the server has keys set. Never put it into a page. */
  readonly apiKey?: string | undefined;
  /** In place of the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** What answers of `openapi-fetch` look like. */
interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** Requests to the server, and streams of its events. */
export class Connection {
  readonly api: Client<paths>;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof globalThis.fetch;

  constructor({ url, apiKey, fetch = (...request) => globalThis.fetch(...request) }: ConnectionOptions) {
    this.#url = url.replace(/\/+$/, '');
    this.#headers = apiKey === undefined ? {} : { 'X-API-Key': apiKey };
    this.#fetch = fetch;
    // Left out, where it would be empty: pages of other sites need no permission then.
    this.api = createClient<paths>({ baseUrl: this.#url, headers: this.#headers, fetch: (request) => fetch(request) });
  }

  /**
   * Takes a broken connection up again, until the signal is aborted or the server refuses: resolves with the status of
   * the refusal, undefined for the signal.
   */
  listen(
    path: string,
    events: Readonly<Record<string, (data: unknown) => void>>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve(undefined);
        return;
      }
      const source = new EventSource(`${this.#url}${path}`, {
        fetch: (to, init) => this.#fetch(to, { ...init, headers: { ...init.headers, ...this.#headers } }),
      });
      const close = (status: number | undefined): void => {
        source.close();
        signal.removeEventListener('abort', stop);
        resolve(status);
      };
      const stop = (): void => close(undefined);
      signal.addEventListener('abort', stop);
      for (const [name, told] of Object.entries(events))
        source.addEventListener(name, ({ data }) => told(JSON.parse(data as string)));
      source.addEventListener('error', ({ code }) => {
        if (source.readyState === EventSource.CLOSED) close(code ?? 0);
      });
    });
  }
}

/** The body of what was asked for. Throws ProblemError. */
export async function answered<T>(request: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await request.catch((cause: unknown): never => {
    throw cause instanceof ProblemError ? cause : noAnswer(`Nothing was answered: ${reasonOf(cause)}`, 0, cause);
  });
  if (!response.ok) throw problemOf(error, response);
  return data as T;
}

function reasonOf(cause: unknown): string {
  const { message, cause: deeper } = cause instanceof Error ? cause : new Error(String(cause));
  return deeper instanceof Error ? `${message} (${deeper.message})` : message;
}
