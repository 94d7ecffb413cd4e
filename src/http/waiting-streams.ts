import type { ServerResponse } from 'node:http';
import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Demos, Place } from './demos.ts';
import { hangUp, isClosed, onClosed } from './on-closed.ts';
import { StreamRoom } from './stream-room.ts';

export interface WaitingStreamsOptions {
  readonly demos: Pick<Demos, 'places'>;
  readonly log: Log;
  /** Between two looks at the places, which keep them. */
  readonly everyMs?: number;
  readonly maxStreams?: number;
  readonly maxPerClient?: number;
}

/** Who listens, and how their place is told. */
export interface Listener {
  readonly template: string;
  readonly place: string;
  readonly clientKey: string;
  readonly tell: (place: Place) => object;
}

interface Stream extends Listener {
  readonly response: ServerResponse;
  told: string;
}

const MAX_BACKLOG_BYTES = 16 * 1024;
const RECONNECT_AFTER_MS = 2_000;

/**
 * The places of all who listen on this server: one timer, and one look a tick and template for all of them, which keeps
 * their places too. Whose turn it is is told so and no longer listened for: their place lapses unless they come.
 * Not a Loop: a tick keeps places, and must not back off (adr/0012).
 */
export class WaitingStreams {
  readonly #options: Required<WaitingStreamsOptions>;
  readonly #room: StreamRoom;
  readonly #streams = new Map<string, Set<Stream>>();
  #timer: NodeJS.Timeout | undefined;
  #ticking = false;
  #failing = false;
  #stopped = false;

  constructor(options: WaitingStreamsOptions) {
    this.#options = { everyMs: 500, maxStreams: 1_000, maxPerClient: 20, ...options };
    this.#room = new StreamRoom({ name: 'waiting', ...this.#options });
  }

  /** Throws too_many_streams. Call before the answer has begun. */
  admit(clientKey: string): void {
    this.#room.admit(clientKey);
  }

  /** Takes the response over: a first event at once, then one whenever something has changed, until the turn comes. */
  attach(listener: Listener, response: ServerResponse, headers: Readonly<Record<string, string>>, first: Place): void {
    if (isClosed(response)) return;
    if (this.#stopped) {
      response.destroy();
      return;
    }
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write(`retry: ${RECONNECT_AFTER_MS}\n\n`);
    const stream: Stream = { ...listener, response, told: '' };
    const others = this.#streams.get(listener.template) ?? new Set<Stream>();
    this.#streams.set(listener.template, others.add(stream));
    this.#room.enter(listener.clientKey);
    onClosed(response, () => this.#detach(stream));
    response.on('error', () => response.destroy());
    tell(stream, first);
    this.#timer ??= setInterval(() => void this.#tick(), this.#options.everyMs);
  }

  /** Ends every stream; clients reconnect by themselves, to another server if there is one, and keep their places. */
  stop(): void {
    this.#stopped = true;
    for (const streams of this.#streams.values()) for (const { response } of streams) response.end();
  }

  #detach(stream: Stream): void {
    const others = this.#streams.get(stream.template);
    if (others?.delete(stream) !== true) return;
    if (others.size === 0) this.#streams.delete(stream.template);
    this.#room.leave(stream.clientKey);
    if (this.#room.open > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      await Promise.all([...this.#streams].map(([template, streams]) => this.#look(template, [...streams])));
      if (this.#failing) this.#options.log.info({}, 'Those who wait are told of their places again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.#options.log.warn(
          { err: error, reason: describeError(error) },
          'Those who wait cannot be told of their places; their streams stay open',
        );
      this.#failing = true;
    } finally {
      this.#ticking = false;
    }
  }

  async #look(template: string, streams: readonly Stream[]): Promise<void> {
    const places = await this.#options.demos.places(template, [...new Set(streams.map(({ place }) => place))]);
    for (const stream of streams) tell(stream, places.get(stream.place));
  }
}

function tell(stream: Stream, place: Place | undefined): void {
  const { response } = stream;
  // What waits its turn on its connection is here until that comes.
  if (response.writableEnded) return;
  if (place === undefined) {
    response.end(`event: gone\ndata: ${JSON.stringify({ state: 'gone' })}\n\n`);
    return;
  }
  const data = JSON.stringify(stream.tell(place));
  if (place.turn) response.end(`event: turn\ndata: ${data}\n\n`);
  else if (response.writableLength > MAX_BACKLOG_BYTES) hangUp(response);
  else if (data !== stream.told) response.write(`event: place\ndata: ${data}\n\n`);
  stream.told = data;
}
