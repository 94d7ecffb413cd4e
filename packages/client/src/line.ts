import type { paths } from './api.ts';
import { answered, type Connection } from './connection.ts';
import type { Place } from './events.ts';
import { pause } from './pause.ts';
import { ProblemError } from './problem-error.ts';
import { solve, type Challenge } from './proof.ts';

export type Acquired = paths['/api/v1/demo/acquire']['post']['responses'][201]['content']['application/json'];

export interface Wish {
  readonly template: string;
  readonly open: string | undefined;
  /** 22 characters that nobody can guess: what is asked for again with them is the same instance. */
  readonly secret: string;
}

/** For this long what was heard of before may not answer. A place lapses after 20 s, and is taken anew then. */
const PATIENCE_MS = 60_000;
/** The same for a server that was never heard of. */
const FIRST_PATIENCE_MS = 2_000;
/** A place lapses 20 s after it was heard of last; a stream can be dead without anybody noticing. */
const ASK_AT_LEAST_EVERY_MS = 12_000;
const RETRY_MS = { first: 250, longest: 4_000 };
/** Between two tries to take what is there already. */
const TURN_RETRY_MS = 300;
/** One is enough, unless the place or the address changes meanwhile. */
const PROOFS = 3;
const PASSING = ['no_answer', 'store_unavailable', 'shutting_down'];

/** Takes an instance, or a place among those who wait for one, and waits. Aborted, it gives back what it has. */
export async function waitInLine(
  connection: Connection,
  { template, open, secret }: Wish,
  told: (place: Place) => void,
  signal: AbortSignal,
): Promise<Acquired> {
  const { api } = connection;
  const place = `${template}.${secret}`;
  const body = { template, place, ...(open === undefined ? {} : { open }) };
  let patienceMs = FIRST_PATIENCE_MS;
  try {
    for (;;) {
      const answer = await proven(
        (proof) =>
          patiently(() => answered(api.POST('/api/v1/waiting', { body: { ...body, ...proof } })), patienceMs, signal),
        signal,
      );
      if ('url' in answer) return await unlessAborted(connection, answer, signal);
      signal.throwIfAborted();
      patienceMs = PATIENCE_MS;
      told(answer);
      if (answer.state === 'turn') await pause(TURN_RETRY_MS, signal);
      else await untilNews(connection, answer, told, signal);
    }
  } catch (error) {
    // Whoever is behind moves up at once, not when the place lapses.
    if (signal.aborted) await ignored(api.DELETE('/api/v1/waiting/{place}', { params: { path: { place } } }));
    throw error;
  }
}

/** Takes an instance that is there already. */
export async function takeNow(
  connection: Connection,
  { template, open, secret }: Wish,
  signal: AbortSignal,
): Promise<Acquired> {
  const body = { template, ...(open === undefined ? {} : { open }) };
  const header = { 'idempotency-key': secret };
  const answer = await proven(
    (proof) =>
      patiently(
        () =>
          answered(connection.api.POST('/api/v1/demo/acquire', { body: { ...body, ...proof }, params: { header } })),
        FIRST_PATIENCE_MS,
        signal,
      ),
    signal,
  );
  return unlessAborted(connection, answer, signal);
}

/** Solves what a server under pressure asks for, a few times at most. */
async function proven<T>(ask: (proof: { readonly altcha?: string }) => Promise<T>, signal: AbortSignal): Promise<T> {
  let proof = {};
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask(proof);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.challenge === undefined || tries > PROOFS) throw error;
      proof = { altcha: await solution(error, error.challenge, signal) };
    }
  }
}

/** Throws the refusal itself where nothing solves its challenge: whoever asked hears of it as of any other. */
async function solution(refusal: ProblemError, challenge: Challenge, signal: AbortSignal): Promise<string> {
  try {
    return await solve(challenge, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw Object.assign(refusal, { cause: error });
  }
}

async function unlessAborted(connection: Connection, acquired: Acquired, signal: AbortSignal): Promise<Acquired> {
  if (!signal.aborted) return acquired;
  await ignored(connection.api.DELETE('/api/v1/demo/{id}', { params: { path: { id: acquired.id } } }));
  signal.throwIfAborted();
  return acquired;
}

/** Until there may be an instance, or it is time to ask again. */
async function untilNews(
  connection: Connection,
  { place, ask_again_seconds: seconds }: Place,
  onPlace: (place: Place) => void,
  signal: AbortSignal,
): Promise<void> {
  const news = new AbortController();
  const done = (): void => news.abort();
  // Not AbortSignal.any: Node 20 keeps an entry of each at the signal for as long as that lives.
  signal.addEventListener('abort', done);
  if (signal.aborted) done();
  const timer = setTimeout(done, ASK_AT_LEAST_EVERY_MS);
  const told = { place: (data: unknown) => onPlace(data as Place), turn: done, gone: done };
  const status = await connection.listen(`/api/v1/waiting/${place}/events`, told, news.signal).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', done);
  });
  signal.throwIfAborted();
  // No stream to be had, as where too many are open: asking does as well.
  if (status !== undefined) await pause(seconds * 1000, signal);
}

/** Again and again while what is wrong passes by itself. */
async function patiently<T>(ask: () => Promise<T>, patienceMs: number, signal: AbortSignal): Promise<T> {
  const until = performance.now() + patienceMs;
  for (let waitMs = RETRY_MS.first; ; waitMs = Math.min(waitMs * 2, RETRY_MS.longest)) {
    try {
      return await ask();
    } catch (error) {
      const passes = error instanceof ProblemError && PASSING.includes(error.code);
      if (!passes || performance.now() + waitMs > until) throw error;
      await pause(waitMs, signal);
    }
  }
}

/** What cannot be given back now lapses by itself. */
async function ignored(request: Promise<unknown>): Promise<void> {
  await request.catch(() => undefined);
}
