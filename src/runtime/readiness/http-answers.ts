import { Client } from 'undici';
import type { PublicOrigin } from '../../domain/address.ts';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { isWithin } from '../../domain/readiness.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { HttpTarget, Probe, Sight } from '../../pool/interfaces/probe.ts';
import { CookieJar } from './cookie-jar.ts';

const REQUEST_TIMEOUT_MS = 10_000;
/** Between two requests: at first, and after a while, when one more a second changes nothing for anybody. */
const POLL_MS = { first: 50, last: 500, shareOfElapsed: 0.1 };
/** The app is somebody's own program and may send without end; its status is all we need. */
const BODY_READ_BYTES = 64 * 1024;
/** As many as browsers follow, roughly. */
const REDIRECTS = 20;

/** Plain words for how a connection fails. */
const FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  UND_ERR_SOCKET: 'connection closed before an answer',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_OVERFLOW: 'an answer with too large headers',
};

const NO_ANSWER = Symbol('no answer');

interface Answered {
  readonly status: number;
  readonly location: string | undefined;
}

/** Asks over HTTP until the app answers as wanted. Leaves no connection open, so a checkpoint may follow at once. */
export async function untilOk(target: Parameters<Probe['untilOk']>[0], signal: AbortSignal): Promise<void> {
  const { url, timeoutMs, requestTimeoutMs = REQUEST_TIMEOUT_MS, intervalMs } = target;
  const startedAt = performance.now();
  const deadline = startedAt + timeoutMs;
  let tries = 0;
  let last: Sight | undefined;
  for (;;) {
    signal.throwIfAborted();
    const left = deadline - performance.now();
    if (left <= 0) break;
    tries += 1;
    const patience = Math.min(requestTimeoutMs, left);
    const { ok, seen } = await look({ ...target, timeoutMs: patience }, signal);
    if (ok) return;
    // A last try cut short by the deadline tells less than the one before it.
    if (seen.kind !== 'silent' || last === undefined || patience === requestTimeoutMs) {
      last = seen;
      target.onSeen?.(seen);
    }
    const pause = intervalMs ?? pauseAfter(performance.now() - startedAt);
    await sleep(Math.max(0, Math.min(pause, deadline - performance.now())), signal);
  }
  throw new TryItNowError(
    'not_ready_in_time',
    `${url}${hostOf(target)} ${unmet(target)} within ${timeoutMs} ms; last seen after ${tries} tries: ` +
      (last === undefined ? 'nothing was asked yet' : sightInWords(last)),
    { details: { seen: last } },
  );
}

/** How long to wait before asking again something that has been asked for so long. */
function pauseAfter(elapsedMs: number): number {
  return Math.min(POLL_MS.last, Math.max(POLL_MS.first, elapsedMs * POLL_MS.shareOfElapsed));
}

export async function look(
  target: Parameters<Probe['look']>[0],
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly seen: Sight }> {
  const deadline = performance.now() + target.timeoutMs;
  const cookies = new CookieJar();
  const host = sentHost(target);
  let url = new URL(target.url);
  const asked = `${url.pathname}${url.search}`;
  for (let followed = 0; ; followed += 1) {
    const left = Math.max(1, deadline - performance.now());
    const answer = await answerOf({ ...target, url, cookies }, left, signal);
    signal.throwIfAborted();
    if (!isAnswer(answer)) return { ok: false, seen: failureSeen(answer, target.timeoutMs) };
    const { status } = answer;
    const path = `${url.pathname}${url.search}`;
    const seen: Sight = { kind: 'answered', status, path, host, ...(followed > 0 ? { from: asked } : {}) };
    if (target.statuses !== undefined) return { ok: isWithin(target.statuses, status), seen };
    const next = redirectWithin(target, url, answer);
    if (next === undefined)
      return { ok: status < 400 || (target.orStatuses !== undefined && isWithin(target.orStatuses, status)), seen };
    if (followed >= REDIRECTS)
      return { ok: false, seen: { kind: 'broken', words: `redirects without end, the last one at ${path}` } };
    url = next;
  }
}

export async function ask(
  { url, visitor, body, timeoutMs }: Parameters<Probe['ask']>[0],
  signal: AbortSignal,
): Promise<{ status: number; location: string; body: string }> {
  signal.throwIfAborted();
  const target = new URL(url);
  const client = new Client(target.origin, { pipelining: 0 });
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  try {
    const answer = await client.request({
      method: body === undefined ? 'GET' : 'POST',
      path: `${target.pathname}${target.search}`,
      headers: {
        'user-agent': 'try-it-now',
        ...(visitor === undefined ? {} : visitorHeaders(visitor)),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: either,
    });
    const location = [answer.headers['location'] ?? ''].flat().join(' ');
    return { status: answer.statusCode, location, body: await textOf(answer.body) };
  } catch (error) {
    signal.throwIfAborted();
    const why = sightInWords(failureSeen(timeout.aborted ? NO_ANSWER : error, timeoutMs));
    throw new Error(`${url}: ${why}`, { cause: error });
  } finally {
    await client.destroy();
  }
}

/** As the proxy sends them on. */
export function visitorHeaders({ scheme, host }: PublicOrigin): Record<string, string> {
  return { host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': host, 'x-forwarded-proto': scheme };
}

function sentHost({ url, visitor, host }: HttpTarget): string {
  return host ?? visitor?.host ?? new URL(url).host;
}

function hostOf({ visitor, host }: HttpTarget): string {
  const sent = host ?? visitor?.host;
  return sent === undefined ? '' : ` (Host ${sent})`;
}

function unmet({ statuses }: HttpTarget): string {
  if (statuses === undefined) return 'did not answer below 400';
  return `did not answer with ${statuses.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(' or ')}`;
}

/** Where the answer sends on to, if it is the same app under the same scheme; anywhere else is for browsers. */
function redirectWithin(target: HttpTarget, from: URL, { status, location }: Answered): URL | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const scheme = target.visitor?.scheme ?? 'http';
  const base = `${scheme}://${sentHost(target)}${from.pathname}${from.search}`;
  if (!URL.canParse(location, base)) return undefined;
  const to = new URL(location, base);
  const own = [new URL(base).origin, new URL(target.url).origin];
  return own.includes(to.origin) ? new URL(`${to.pathname}${to.search}`, target.url) : undefined;
}

/** The beginning of a body that may never end. */
async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= BODY_READ_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, BODY_READ_BYTES).toString();
}

/** The answer, or what went wrong. */
async function answerOf(
  { url, visitor, host, cookies }: Omit<HttpTarget, 'url'> & { readonly url: URL; readonly cookies: CookieJar },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  // One client a request and no keep-alive: the connection ends with it, whatever becomes of the answer.
  const client = new Client(url.origin, { pipelining: 0 });
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  const either = AbortSignal.any([signal, timeout]);
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: {
        'user-agent': 'try-it-now-readiness',
        ...(visitor === undefined ? {} : visitorHeaders(visitor)),
        ...(host === undefined ? {} : { host }),
        ...cookies.header(),
      },
      signal: either,
    });
    cookies.keep(headers['set-cookie']);
    // An app cut off in the middle of its answer may log an error, so a short one is read to its end.
    await body.dump({ limit: BODY_READ_BYTES, signal: either }).catch(() => undefined);
    const { location } = headers;
    return { status: statusCode, location: typeof location === 'string' ? location : location?.[0] } satisfies Answered;
  } catch (error) {
    return timeout.aborted ? NO_ANSWER : error;
  } finally {
    await client.destroy();
  }
}

function isAnswer(answer: unknown): answer is Answered {
  return typeof answer === 'object' && answer !== null && !(answer instanceof Error) && 'status' in answer;
}

function failureSeen(failure: unknown, patienceMs: number): Sight {
  if (failure === NO_ANSWER) return { kind: 'silent', afterMs: Math.ceil(patienceMs) };
  const code = failure instanceof Error && 'code' in failure && typeof failure.code === 'string' ? failure.code : '';
  return code === 'ECONNREFUSED'
    ? { kind: 'refused' }
    : { kind: 'broken', words: FAILURES[code] ?? describeError(failure) };
}

export function sightInWords(seen: Sight): string {
  switch (seen.kind) {
    case 'answered':
      return `status ${seen.status}${seen.path === '/' ? '' : ` at ${seen.path}`}`;
    case 'refused':
      return 'connection refused';
    case 'silent':
      return `no answer within ${seen.afterMs} ms`;
    case 'broken':
      return seen.words;
  }
}
