import { isDeepStrictEqual } from 'node:util';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Proxy } from '../pool/ports.ts';
import { demoServer, type DemoServerOptions, type Json } from './caddy-config.ts';

export interface CaddyProxyOptions extends DemoServerOptions {
  /** Caddy's admin API. */
  readonly adminUrl: string;
  readonly log: Log;
}

const SERVER_PATH = '/config/apps/http/servers/demo';
const ADMIN_TIMEOUT_MS = 5_000;
/** Somebody else may make or remove the server between our reading and our writing. */
const ATTEMPTS = 3;

interface AdminAnswer {
  readonly ok: boolean;
  readonly body: Json;
  /** Caddy's own words when it refuses. */
  readonly error: string;
}

/** Our server in Caddy's configuration, and nothing else of it: an operator's own servers are neither read nor written. */
export class CaddyProxy implements Proxy {
  readonly #options: CaddyProxyOptions;
  readonly #server: Json;

  constructor(options: CaddyProxyOptions) {
    this.#options = options;
    this.#server = demoServer(options);
  }

  /** Writes only what differs, because every write reloads Caddy and cuts open WebSockets. Throws proxy_unavailable, port_taken. */
  async ensure(): Promise<'unchanged' | 'written'> {
    let refusal = '';
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const current = await this.#admin('GET');
      // A level above that does not exist is an error to Caddy's GET; to us both mean: not there.
      const exists = current.ok && current.body !== null;
      if (exists && isDeepStrictEqual(current.body, this.#server)) return 'unchanged';
      // PUT makes missing levels and refuses to replace; PATCH replaces and refuses to make.
      const written = await this.#admin(exists ? 'PATCH' : 'PUT', this.#server);
      if (written.ok) {
        this.#options.log.info({ adminUrl: this.#options.adminUrl, listen: this.#options.listen, replaced: exists }, 'Proxy configuration written');
        return 'written';
      }
      refusal = written.error;
    }
    throw this.#refused(refusal);
  }

  async #admin(method: 'GET' | 'PUT' | 'PATCH', body?: Json): Promise<AdminAnswer> {
    const url = new URL(SERVER_PATH, this.#options.adminUrl);
    try {
      const response = await fetch(url, {
        method,
        signal: AbortSignal.timeout(ADMIN_TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      });
      const text = await response.text();
      const answer = text.trim() === '' ? null : (JSON.parse(text) as Json);
      return { ok: response.ok, body: answer, error: response.ok ? '' : errorText(answer) };
    } catch (error) {
      throw new TryItNowError('proxy_unavailable', `Caddy's admin API does not answer at ${url.origin} (${describeError(error)}); start Caddy or set CADDY_ADMIN_URL`, { cause: error });
    }
  }

  #refused(reason: string): TryItNowError {
    const { listen, adminUrl } = this.#options;
    if (/address already in use|listener address repeated/.test(reason)) {
      return new TryItNowError('port_taken', `the proxy cannot listen on ${listen}: another program or another site of the same Caddy has that port (Caddy says: ${reason}); free it or set PROXY_LISTEN`);
    }
    return new TryItNowError('proxy_unavailable', `Caddy at ${adminUrl} refuses our configuration (it says: ${reason})`);
  }
}

function errorText(answer: Json): string {
  const error = typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? (answer as Readonly<Record<string, Json>>)['error'] : undefined;
  return typeof error === 'string' ? error : JSON.stringify(answer);
}
