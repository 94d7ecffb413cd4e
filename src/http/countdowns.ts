import type { ServerResponse } from 'node:http';
import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { InstanceView } from '../pool/interfaces/claim-store.ts';
import type { Demos } from './demos.ts';
import { hangUp, isClosed, onClosed } from './on-closed.ts';
import { StreamRoom } from './stream-room.ts';
import { secondsLeft, unusedEnd } from './time-left.ts';

export interface CountdownOptions {
  readonly demos: Pick<Demos, 'findMany' | 'unusedEndMs'>;
  readonly log: Log;
  /** Between two events of a stream; they double as its heartbeat. */
  readonly everyMs?: number;
  /** Over all clients. Each stream holds a socket for as long as an instance lives. */
  readonly maxStreams?: number;
  /** Per client address, so that one visitor cannot use up the room of all. */
  readonly maxPerClient?: number;
}

/** A reader that lets this much pile up is gone or stuck: some hundred events. */
const MAX_BACKLOG_BYTES = 16 * 1024;
const RECONNECT_AFTER_MS = 3_000;

interface Stream {
  readonly response: ServerResponse;
  readonly clientKey: string;
}

/**
 * The countdowns of all instances that somebody watches: one timer and one batched look-up a tick for all of them,
 * however many listen, and neither when nobody does. Extends and early ends show at the next tick.
 * Not a Loop: a tick is a heartbeat too, and must not back off (adr/0012).
 */
export class Countdowns {
  readonly #options: Required<CountdownOptions>;
  readonly #streams = new Map<string, Set<Stream>>();
  readonly #room: StreamRoom;
  #timer: NodeJS.Timeout | undefined;
  #ticking = false;
  #failing = false;
  #stopped = false;

  constructor(options: CountdownOptions) {
    this.#options = { everyMs: 1_000, maxStreams: 1_000, maxPerClient: 20, ...options };
    this.#room = new StreamRoom({ name: 'countdown', ...this.#options });
  }

  get open(): number {
    return this.#room.open;
  }

  /** Throws too_many_streams. Call before the answer has begun. */
  admit(clientKey: string): void {
    this.#room.admit(clientKey);
  }

  /**
   * Takes the response over: headers, a first event at once, then one each tick until the instance
   * ends or the client leaves.
   */
  attach(
    id: string,
    clientKey: string,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
    first: InstanceView,
  ): void {
    // Both can happen while the caller looked the instance up; nobody would ever detach such a stream.
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
    const stream: Stream = { response, clientKey };
    const others = this.#streams.get(id) ?? new Set<Stream>();
    this.#streams.set(id, others.add(stream));
    this.#room.enter(clientKey);
    // Comes once, no matter who ends the stream.
    onClosed(response, () => this.#detach(id, stream));
    response.on('error', () => response.destroy());
    this.#tell([stream], first);
    this.#timer ??= setInterval(() => void this.#tick(), this.#options.everyMs);
  }

  /** Ends every stream; clients reconnect by themselves, to another server if there is one. */
  stop(): void {
    this.#stopped = true;
    for (const streams of this.#streams.values()) for (const { response } of streams) response.end();
  }

  #detach(id: string, stream: Stream): void {
    const others = this.#streams.get(id);
    if (others?.delete(stream) !== true) return;
    if (others.size === 0) this.#streams.delete(id);
    this.#room.leave(stream.clientKey);
    if (this.#room.open === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  async #tick(): Promise<void> {
    // A look-up slower than the tick must not have the next one pile up behind it.
    if (this.#ticking) return;
    this.#ticking = true;
    const asked = [...this.#streams.keys()];
    try {
      const views = await this.#options.demos.findMany(asked);
      for (const id of asked) this.#tell(this.#streams.get(id) ?? [], views.get(id));
      if (this.#failing) this.#options.log.info({}, 'Countdowns go on');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.#options.log.warn(
          { err: error, reason: describeError(error) },
          'Countdowns cannot look up their instances; streams stay open',
        );
      this.#failing = true;
      // Not knowing is not the same as ended: the stream stays, and the comment keeps proxies from closing it.
      for (const id of asked)
        for (const { response } of this.#streams.get(id) ?? [])
          if (!response.writableEnded) response.write(': the time left is not known right now\n\n');
    } finally {
      this.#ticking = false;
    }
  }

  #tell(streams: Iterable<Stream>, view: InstanceView | undefined): void {
    const ended = view?.instance.state !== 'assigned' || view.instance.deadlineMs === null;
    const data = ended
      ? { state: 'ended', remaining_seconds: 0, expires_at: null }
      : {
          state: 'assigned',
          remaining_seconds: secondsLeft(view),
          expires_at: new Date(view.instance.deadlineMs ?? 0).toISOString(),
          ...unusedEnd(this.#options.demos, view),
        };
    const text = `event: ${ended ? 'ended' : 'countdown'}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const { response } of streams) {
      // What waits its turn on its connection is here until that comes.
      if (response.writableEnded) continue;
      if (ended) response.end(text);
      else if (response.writableLength > MAX_BACKLOG_BYTES) hangUp(response);
      else response.write(text);
    }
  }
}
