import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Json } from './json.ts';

const TIMEOUT_MS = 5_000;

export interface AdminAnswer {
  readonly ok: boolean;
  readonly body: Json;
  /** Caddy's own words when it refuses, else empty. */
  readonly error: string;
}

/**
 * One request to Caddy's admin API on a connection of its own: Caddy closes its admin connections at every reload, so
 * a kept one fails at the next use. Throws proxy_unavailable.
 */
export async function askAdmin(
  adminUrl: string,
  method: 'GET' | 'PUT' | 'PATCH',
  path: string,
  body?: Json,
): Promise<AdminAnswer> {
  const url = new URL(path, adminUrl);
  try {
    const { status, answer } = await send(url, method, body === undefined ? undefined : JSON.stringify(body));
    const parsed = answer.trim() === '' ? null : (JSON.parse(answer) as Json);
    const ok = status >= 200 && status < 300;
    return { ok, body: parsed, error: ok ? '' : errorText(parsed) };
  } catch (error) {
    throw new TryItNowError(
      'proxy_unavailable',
      `Caddy's admin API does not answer at ${url.origin} (${describeError(error)}); start Caddy or set ` +
        'CADDY_ADMIN_URL',
      { cause: error },
    );
  }
}

function send(url: URL, method: string, body: string | undefined): Promise<{ status: number; answer: string }> {
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method,
      agent: false,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined
        ? {}
        : { headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } }),
    });
    sent.once('response', (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode ?? 0, answer }), reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

function errorText(answer: Json): string {
  const error =
    typeof answer === 'object' && answer !== null && !Array.isArray(answer)
      ? (answer as Readonly<Record<string, Json>>)['error']
      : undefined;
  return typeof error === 'string' ? error : JSON.stringify(answer);
}
