import type { IncomingHttpHeaders } from 'node:http';
import { Client } from 'undici';
import { INNER_NAMES, type PublicOrigin } from '../../domain/address.ts';
import { revocableDeadline } from '../../lifecycle/deadline.ts';
import { eitherOf } from '../../lifecycle/either-of.ts';
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
  /** With `of400`, only where the request was refused as none. */
  readonly keepsText?: boolean | 'of400';
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
  using either = eitherOf(signal, timeout);
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
      signal: either.signal,
    });
    cookies.keep(headers['set-cookie']);
    if (keepsText === true) return { status: statusCode, headers, text: await textOf(body) } satisfies Answered;
    if (keepsText === 'of400' && statusCode === 400)
      return { status: statusCode, headers, text: await textOf(body).catch(() => '') } satisfies Answered;
    // An app cut off in the middle of its answer may log an error, so a short one is read to its end.
    await body.dump({ limit: BODY_READ_BYTES, signal: either.signal }).catch(() => undefined);
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

/**
 * Where the answer, to what was asked at `from`, leads its visitor. What the app said of itself has the public scheme
 * and port then, as the proxy has it (`locationReplacements`): who is asked directly is taken likewise.
 */
export function redirectOf(answer: Answered, target: HttpTarget, from: URL): URL | undefined {
  const base = publicUrl(target, from);
  const told = toldLocation(answer, base);
  if (told === undefined || !isOwn(target, told)) return told;
  return new URL(`${told.pathname}${told.search}${told.hash}`, base);
}

/** Whether the app leads to itself by https, which its visitors do not have. */
export function insistsOnHttps(answer: Answered, target: HttpTarget, from: URL): boolean {
  const told = toldLocation(answer, publicUrl(target, from));
  return told?.protocol === 'https:' && target.visitor?.scheme === 'http' && isOwn(target, told);
}

/** In the app's own words. */
function toldLocation({ status, headers: { location } }: Answered, base: URL): URL | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  return URL.canParse(location, base.href) ? new URL(location, base) : undefined;
}

const INNER_NAME = new RegExp(`^(?:${INNER_NAMES.join('|')})$`);
const HTTP_PORT = 80;

/** Whether the proxy takes it for the instance's own address, under whichever scheme. */
function isOwn({ visitor, host, innerPort }: HttpTarget, { protocol, hostname, port }: URL): boolean {
  // Sent another name than the proxy sends, an app may lead to that one.
  if (visitor === undefined || host !== undefined || !/^https?:$/.test(protocol)) return false;
  // A name may have a dot at its end.
  if (hostname.replace(/\.$/, '') === new URL(`http://${visitor.host}`).hostname) return true;
  // A port that goes without saying may be said or not.
  const isInner = port === String(innerPort) || (port === '' && innerPort === HTTP_PORT);
  return isInner && INNER_NAME.test(hostname);
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
