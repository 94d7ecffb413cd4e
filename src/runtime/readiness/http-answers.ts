import { Client } from 'undici';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { isWithin } from '../../domain/readiness.ts';
import { deadlineSignal } from '../../lifecycle/deadline.ts';
import { eitherOf } from '../../lifecycle/either-of.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { HttpTarget, Probe, Sight } from '../../pool/interfaces/probe.ts';
import { CookieJar } from './cookie-jar.ts';
import {
  NO_ANSWER,
  answerOf,
  insistsOnHttps,
  isAnswer,
  redirectOf,
  sentHost,
  textOf,
  visitorHeaders,
  within,
} from './one-request.ts';
import { speaksTls } from './speaks-tls.ts';

const REQUEST_TIMEOUT_MS = 10_000;
/** Between two requests: at first, and after a while, when one more a second changes nothing for anybody. */
const POLL_MS = { first: 50, last: 500, shareOfElapsed: 0.1 };
const TLS_HELLO_MS = 1_000;
/** What Go, nginx, Apache and Tomcat say with status 400 at a port where they speak TLS. */
const WANTS_TLS =
  /HTTP request to an HTTPS server|request was sent to HTTPS port|HTTP to an SSL-enabled|host and port requires TLS/i;
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
  // Many that speak TLS just hang up on who does not.
  const hungUp = last?.kind === 'broken' && url.startsWith('http:');
  if (hungUp && (await speaksTls(new URL(url), sentHost(target), TLS_HELLO_MS, signal))) last = { kind: 'tls' };
  signal.throwIfAborted();
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
    const answer = await answerOf({ ...target, url, cookies, keepsText: 'of400' }, left, signal);
    signal.throwIfAborted();
    const path = `${url.pathname}${url.search}`;
    if (!isAnswer(answer)) {
      const seen = failureSeen(answer, target.timeoutMs);
      return { ok: false, seen: seen.kind === 'silent' ? { ...seen, path } : seen };
    }
    const { status } = answer;
    const seen: Sight = { kind: 'answered', status, path, host, ...(followed > 0 ? { from: asked } : {}) };
    const judged = (ok: boolean): { ok: boolean; seen: Sight } => ({
      ok,
      seen: !ok && WANTS_TLS.test(answer.text) ? { kind: 'tls' } : seen,
    });
    if (target.statuses !== undefined) return judged(isWithin(target.statuses, status));
    const redirect = redirectOf(answer, target, url);
    const next = redirect === undefined ? undefined : within(target, redirect);
    if (next === undefined)
      return judged(status < 400 || (target.orStatuses !== undefined && isWithin(target.orStatuses, status)));
    if (followed >= REDIRECTS)
      return { ok: false, seen: { kind: 'circles', path, toHttps: insistsOnHttps(answer, target, url) } };
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
  const timeout = deadlineSignal(timeoutMs);
  using either = eitherOf(signal, timeout);
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
      signal: either.signal,
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

function hostOf({ visitor, host }: HttpTarget): string {
  const sent = host ?? visitor?.host;
  return sent === undefined ? '' : ` (Host ${sent})`;
}

function unmet({ statuses }: HttpTarget): string {
  if (statuses === undefined) return 'did not answer below 400';
  return `did not answer with ${statuses.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(' or ')}`;
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
    case 'circles':
      return `redirects without end, ${seen.toHttps ? 'each to https, ' : ''}the last one at ${seen.path}`;
    case 'tls':
      return 'TLS instead of plain http';
    case 'broken':
      return seen.words;
  }
}
