import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import type { Json } from './json.ts';

const TIMEOUT_MS = 5_000;
const BY_SOCKET = 'unix://';

export interface AdminAnswer {
  readonly ok: boolean;
  /** Of what was read: a write that names it is refused once somebody else has changed that. */
  readonly etag: string | undefined;
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
  ifMatch?: string,
): Promise<AdminAnswer> {
  try {
    const { status, answer, etag } = await send(
      adminUrl,
      path,
      method,
      body === undefined ? undefined : JSON.stringify(body),
      ifMatch,
    );
    const parsed = answer.trim() === '' ? null : (JSON.parse(answer) as Json);
    const ok = status >= 200 && status < 300;
    return { ok, etag, body: parsed, error: ok ? '' : errorText(parsed) };
  } catch (error) {
    throw new TryItNowError(
      'proxy_unavailable',
      `Caddy's admin API does not answer at ${adminUrl} (${describeError(error)}); ${remedy(error)}`,
      { cause: error },
    );
  }
}

function remedy(error: unknown): string {
  return error instanceof Error && 'code' in error && error.code === 'EACCES'
    ? 'this user may not open the socket: deploy/caddy/apply.js, run as root, opens it to the group of its folder'
    : 'start Caddy or set CADDY_ADMIN_URL';
}

/** The path of a unix socket, undefined for what is reached by TCP. */
export function adminSocket(adminUrl: string): string | undefined {
  return adminUrl.startsWith(BY_SOCKET) ? adminUrl.slice(BY_SOCKET.length) : undefined;
}

function send(
  adminUrl: string,
  path: string,
  method: string,
  body: string | undefined,
  ifMatch: string | undefined,
): Promise<{ status: number; answer: string; etag: string | undefined }> {
  return new Promise((resolve, reject) => {
    const socketPath = adminSocket(adminUrl);
    const options = {
      method,
      agent: false,
      signal: deadlineSignal(TIMEOUT_MS),
      headers: {
        // Over a socket Caddy 2.6 takes no host's name at all, and later ones take any.
        ...(socketPath === undefined ? {} : { Host: '' }),
        ...(ifMatch === undefined ? {} : { 'If-Match': ifMatch }),
        ...(body === undefined
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
      },
    } as const;
    const sent =
      socketPath === undefined
        ? (adminUrl.startsWith('https:') ? httpsRequest : httpRequest)(new URL(path, adminUrl), options)
        : httpRequest({ ...options, setHost: false, socketPath, path });
    sent.once('response', (response) => {
      text(response).then(
        // Caddy knows it only once it has written the body.
        (answer) =>
          resolve({
            status: response.statusCode ?? 0,
            answer,
            etag: response.headers.etag ?? response.trailers['etag'],
          }),
        reject,
      );
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
