import type { FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { withVisitNames } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import type { Callers } from '../http/admin/callers.ts';
import { seesIds } from '../http/admin/ids-kept-back.ts';
import { hangUp, isClosed, onClosed } from '../http/on-closed.ts';
import { fragmentsOf, type Fragments } from './fragments.ts';
import type { Snapshots } from './snapshot.ts';

const EVERY_MS = 1_000;
/** How long a page goes on telling after its log-in has ended, at most. */
const CHECK_EVERY_MS = 5_000;
const MOST = 200;
const MAX_BACKLOG_BYTES = 256 * 1024;

interface Viewer {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly seesIds: boolean;
  checkedAt: number;
}

/**
 * All open pages of this server: one look a second at how everything stands, and each is told what has changed. While
 * nobody looks, nothing is read.
 */
export class LiveStreams {
  readonly #snapshots: Snapshots;
  readonly #callers: Callers;
  readonly #log: Log;
  readonly #viewers = new Set<Viewer>();
  #told: Fragments = new Map();
  #timer: NodeJS.Timeout | undefined;
  #ticking = false;
  #stopped = false;

  constructor(snapshots: Snapshots, callers: Callers, log: Log) {
    this.#snapshots = snapshots;
    this.#callers = callers;
    this.#log = log;
  }

  /** Takes the response over; HEAD has an answer and no stream. Throws too_many_streams. */
  attach(request: FastifyRequest, reply: FastifyReply): void {
    if (this.#viewers.size >= MOST)
      throw new TryItNowError('too_many_streams', `All ${MOST} streams of the dashboard are in use; close a page`, {
        retryAfterMs: 10_000,
      });
    if (request.method === 'HEAD') {
      void reply.type('text/event-stream; charset=utf-8').send('');
      return;
    }
    reply.hijack();
    const response = reply.raw;
    if (this.#stopped || isClosed(response)) {
      response.destroy();
      return;
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 2000\n\n');
    const caller = this.#callers.of(request);
    const viewer: Viewer = {
      ...{ request, reply, checkedAt: performance.now() },
      seesIds: caller !== undefined && seesIds(caller),
    };
    this.#viewers.add(viewer);
    onClosed(response, () => this.#detach(viewer));
    response.on('error', () => response.destroy());
    tell(viewer, this.#told);
    this.#timer ??= setInterval(() => void this.#tick(), EVERY_MS);
  }

  /** Ends every stream; browsers come again by themselves, to another server if there is one. */
  stop(): void {
    this.#stopped = true;
    for (const { reply } of this.#viewers) reply.raw.end();
  }

  #detach(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    // What the next one is told first would be old.
    this.#told = new Map();
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      const fragments = fragmentsOf(await this.#snapshots.now());
      const changed = new Map([...fragments].filter(([key, { text }]) => this.#told.get(key)?.text !== text));
      this.#told = new Map([...this.#told, ...fragments]);
      for (const viewer of this.#viewers) tell(viewer, changed);
      await Promise.all([...this.#viewers].map((viewer) => this.#check(viewer)));
    } catch (error) {
      this.#log.error({ err: error, reason: describeError(error) }, 'The dashboard could not tell what has changed');
    } finally {
      this.#ticking = false;
    }
  }

  /** While Valkey does not answer, nobody can be said to be logged out. */
  async #check(viewer: Viewer): Promise<void> {
    const now = performance.now();
    if (now - viewer.checkedAt < CHECK_EVERY_MS) return;
    viewer.checkedAt = now;
    const holds = await this.#callers.stillHolds(viewer.request).catch(() => true);
    if (!holds) viewer.reply.raw.end('event: ended\ndata: {}\n\n');
  }
}

function tell({ reply, seesIds: asTheyAre }: Viewer, changed: Fragments): void {
  const response = reply.raw;
  if (changed.size === 0 || response.writableEnded) return;
  if (response.writableLength > MAX_BACKLOG_BYTES) {
    hangUp(response);
    return;
  }
  const told = [...changed].map(([key, { text }]) => [key, asTheyAre ? text : withVisitNames(text)] as const);
  response.write(`data: ${JSON.stringify(Object.fromEntries(told))}\n\n`);
}
