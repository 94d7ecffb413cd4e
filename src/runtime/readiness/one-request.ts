import type { IncomingHttpHeaders } from 'node:http';
import { Client } from 'undici';
import type { PublicOrigin } from '../../domain/address.ts';
import { revocableDeadline } from '../../lifecycle/deadline.ts';
import type { HttpTarget } from '../../pool/interfaces/probe.ts';
import type { CookieJar } from './cookie-jar.ts';

/** The app is somebody's own program and may send without end. */
const BODY_READ_BYTES = 64 * 1024;

export const NO_ANSWER = Symbol('no answer');

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The beginning of its body; empty unless it was asked for. */
  readonly text: string;
}

export interface OneRequest extends Pick<HttpTarget, 'visitor' | 'host'> {
  readonly url: URL;
  readonly cookies: CookieJar;
  readonly headers?: Readonly<Record<string, string>>;
  readonly keepsText?: boolean;
}

/** GET. The answer, NO_ANSWER when none came in time, or what went wrong. */
export async function answerOf(
  { url, visitor, host, cookies, headers: more, keepsText = false }: OneRequest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  // One client a request and no keep-alive: the connection ends with it, whatever becomes of the answer.
  const client = new Client(url.origin, { pipelining: 0 });
  const { signal: timeout, takeBack } = revocableDeadline(Math.ceil(timeoutMs));
  const either = AbortSignal.any([signal, timeout]);
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: {
        'user-agent': 'try-it-now-readiness',
        ...(visitor === undefined ? {} : visitorHeaders(visitor)),
        ...(host === undefined ? {} : { host }),
        ...more,
        ...cookies.header(),
      },
      signal: either,
    });
    cookies.keep(headers['set-cookie']);
    if (keepsText) return { status: statusCode, headers, text: await textOf(body) } satisfies Answered;
    // An app cut off in the middle of its answer may log an error, so a short one is read to its end.
    await body.dump({ limit: BODY_READ_BYTES, signal: either }).catch(() => undefined);
    return { status: statusCode, headers, text: '' } satisfies Answered;
  } catch (error) {
    return timeout.aborted ? NO_ANSWER : error;
  } finally {
    takeBack();
    await client.destroy();
  }
}

export function isAnswer(answer: unknown): answer is Answered {
  return typeof answer === 'object' && answer !== null && !(answer instanceof Error) && 'status' in answer;
}

/** As the proxy sends them on. */
export function visitorHeaders({ scheme, host }: PublicOrigin): Record<string, string> {
  return { host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': host, 'x-forwarded-proto': scheme };
}

export function sentHost({ url, visitor, host }: HttpTarget): string {
  return host ?? visitor?.host ?? new URL(url).host;
}

/** The address of what was asked at `from`, as a visitor has it in front of them. */
export function publicUrl(target: HttpTarget, from: URL): URL {
  return new URL(`${target.visitor?.scheme ?? 'http'}://${sentHost(target)}${from.pathname}${from.search}`);
}

/** Where the answer redirects to. */
export function redirectOf({ status, headers: { location } }: Answered, base: URL): URL | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  return URL.canParse(location, base.href) ? new URL(location, base) : undefined;
}

/** Where `to` is asked for, if it is the same app under the same scheme; anywhere else is for browsers. */
export function within(target: HttpTarget, to: URL): URL | undefined {
  const own = [publicUrl(target, to).origin, new URL(target.url).origin];
  return own.includes(to.origin) ? new URL(`${to.pathname}${to.search}`, target.url) : undefined;
}

/** The beginning of a body that may never end. */
export async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= BODY_READ_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, BODY_READ_BYTES).toString();
}
