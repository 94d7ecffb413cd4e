import { Client } from 'undici';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { Probe } from '../../pool/interfaces/probe.ts';

const POLL_EVERY_MS = 50;
const REQUEST_TIMEOUT_MS = 2_000;
/** The app is somebody's own program and may send without end; its status is all we need. */
const BODY_READ_BYTES = 64 * 1024;

/** Plain words for how a connection fails. */
const FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  UND_ERR_SOCKET: 'connection closed before an answer',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_OVERFLOW: 'an answer with too large headers',
};

const NO_ANSWER = Symbol('no answer');

interface Target {
  readonly url: URL;
  readonly hostname: string | undefined;
}

/** Asks over HTTP until the app answers below 400. Leaves no connection open, so a checkpoint may follow at once. */
export async function untilOk(
  { url, hostname, timeoutMs }: Parameters<Probe['untilOk']>[0],
  signal: AbortSignal,
): Promise<void> {
  const target = { url: new URL(url), hostname };
  const deadline = performance.now() + timeoutMs;
  let tries = 0;
  let last = 'nothing was asked yet';
  for (;;) {
    signal.throwIfAborted();
    const left = deadline - performance.now();
    if (left <= 0) break;
    tries += 1;
    const patience = Math.min(REQUEST_TIMEOUT_MS, left);
    const seen = await statusOf(target, patience, signal);
    signal.throwIfAborted();
    if (typeof seen === 'number' && seen < 400) return;
    // A last try cut short by the deadline tells less than the one before it.
    if (seen !== NO_ANSWER || tries === 1 || patience === REQUEST_TIMEOUT_MS) last = inWords(seen, patience);
    await sleep(Math.max(0, Math.min(POLL_EVERY_MS, deadline - performance.now())), signal);
  }
  const host = hostname === undefined ? '' : ` (Host ${hostname})`;
  throw new TryItNowError(
    'not_ready_in_time',
    `${url}${host} did not answer below 400 within ${timeoutMs} ms; last seen after ${tries} tries: ${last}`,
  );
}

export async function ask(
  { url, body, timeoutMs }: Parameters<Probe['ask']>[0],
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  signal.throwIfAborted();
  const target = new URL(url);
  const client = new Client(target.origin, { pipelining: 0 });
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  try {
    const answer = await client.request({
      method: body === undefined ? 'GET' : 'POST',
      path: `${target.pathname}${target.search}`,
      headers: { 'user-agent': 'try-it-now', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: either,
    });
    return { status: answer.statusCode, body: await textOf(answer.body) };
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`${url}: ${inWords(timeout.aborted ? NO_ANSWER : error, timeoutMs)}`, { cause: error });
  } finally {
    await client.destroy();
  }
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

/** The answer's status, or what went wrong. */
async function statusOf({ url, hostname }: Target, timeoutMs: number, signal: AbortSignal): Promise<unknown> {
  // One client a request and no keep-alive: the connection ends with it, whatever becomes of the answer.
  const client = new Client(url.origin, { pipelining: 0 });
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  const either = AbortSignal.any([signal, timeout]);
  try {
    const { statusCode, body } = await client.request({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { 'user-agent': 'try-it-now-readiness', ...(hostname === undefined ? {} : { host: hostname }) },
      signal: either,
    });
    // An app cut off in the middle of its answer may log an error, so a short one is read to its end.
    await body.dump({ limit: BODY_READ_BYTES, signal: either }).catch(() => undefined);
    return statusCode;
  } catch (error) {
    return timeout.aborted ? NO_ANSWER : error;
  } finally {
    await client.destroy();
  }
}

function inWords(seen: unknown, patienceMs: number): string {
  if (typeof seen === 'number') return `status ${seen}`;
  if (seen === NO_ANSWER) return `no answer within ${Math.ceil(patienceMs)} ms`;
  const code = seen instanceof Error && 'code' in seen && typeof seen.code === 'string' ? seen.code : '';
  return FAILURES[code] ?? describeError(seen);
}
