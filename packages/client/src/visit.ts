import { answered, type Connection } from './connection.ts';
import type { Place, VisitEvents } from './events.ts';
import type { Acquired } from './line.ts';
import { pause } from './pause.ts';
import { ProblemError } from './problem-error.ts';

type Listener<Name extends keyof VisitEvents> = (detail: VisitEvents[Name]) => void;
type Taken = Pick<Acquired, 'id' | 'url' | 'template' | 'ttl_seconds' | 'expires_at'> &
  Partial<Pick<Acquired, 'countdown_url'>>;
type Begin = (told: (place: Place) => void, signal: AbortSignal) => Promise<Taken>;

/** What the server's events of the countdown say. */
interface Tick {
  readonly remaining_seconds: number;
  readonly seconds_until_unused_end?: number;
}

export interface Download {
  readonly file: string;
  readonly type: string;
  readonly body: ReadableStream<Uint8Array>;
}

const WARN_AT_SECONDS = [60, 300];
/** Where no stream is to be had. */
const LOOK_EVERY_MS = 10_000;

/** One visitor's instance, from the wait for it to its end. */
export class Visit {
  /** Resolves with this visit when the app runs. Rejects with ProblemError, or the reason of giving up. */
  readonly ready: Promise<this>;
  readonly #connection: Connection;
  readonly #listeners = new Map<string, Set<Listener<never>>>();
  readonly #gaveUp = new AbortController();
  /** Settles once nothing is held any more of what was given up. */
  readonly #begun: Promise<void>;
  #acquired: Taken | undefined;
  #template: string;
  #endsAtMs = 0;
  #ended = false;
  #queueTold = '';
  #warnedAt = Infinity;
  /** The server does not tell us, and asking again will not change that. */
  #refused = false;
  #watching: AbortController | undefined;

  private constructor(connection: Connection, begin: Begin, template: string, signal?: AbortSignal) {
    this.#connection = connection;
    this.#template = template;
    const stopped = this.#gaveUp.signal;
    // Not AbortSignal.any: Node 20 forgets a timeout that only that refers to.
    const follow = (): void => this.#gaveUp.abort(signal?.reason);
    if (signal?.aborted === true) follow();
    signal?.addEventListener('abort', follow);
    this.#begun = this.#begin(begin, stopped).finally(() => signal?.removeEventListener('abort', follow));
    this.ready = new Promise((resolve, reject) => {
      const giveUp = (): void => reject(stopped.reason as Error);
      stopped.addEventListener('abort', giveUp);
      this.#begun.then(() => resolve(this), reject).finally(() => stopped.removeEventListener('abort', giveUp));
    });
    // Whoever only listens to the events need not look at the promise.
    this.ready.catch(() => undefined);
  }

  /** Begins once whoever gets it has had the time to listen. */
  static begin(connection: Connection, begin: Begin, template: string, signal: AbortSignal | undefined): Visit {
    return new Visit(connection, begin, template, signal);
  }

  static of(connection: Connection, id: string): Visit {
    const look: Begin = async () => {
      const found = await answered(connection.api.GET('/api/v1/demo/{id}', { params: { path: { id } } }));
      const { url, expires_at: expiresAt } = found;
      if (url === undefined || expiresAt === undefined) throw over(id);
      return { ...found, url, expires_at: expiresAt };
    };
    return new Visit(connection, look, '');
  }

  get state(): 'waiting' | 'running' | 'ended' {
    if (this.#ended) return 'ended';
    return this.#acquired === undefined ? 'waiting' : 'running';
  }

  /** Whoever knows it controls the instance; keep it secret. Throws before `ready`, as the next three do. */
  get id(): string {
    return this.#known.id;
  }

  /** Where the app is. The first visitor to open it may be signed in by it. */
  get url(): string {
    return this.#known.url;
  }

  get template(): string {
    return this.#known.template;
  }

  /**
   * For a page to listen to the countdown with an `EventSource`, and to do nothing else: no key is needed for it.
   * Undefined for a visit that was found by its id.
   */
  get countdownUrl(): string | undefined {
    return this.#known.countdown_url;
  }

  /** Whole seconds until the end, as of the last that was heard of it. */
  get secondsLeft(): number {
    return this.#ended ? 0 : Math.max(0, Math.ceil((this.#endsAtMs - performance.now()) / 1000));
  }

  /**
   * Calls the listener with each event's detail, until what this returns is called. The server is listened to while
   * anybody waits for `countdown`, `ending` or `ended`.
   */
  on<Name extends keyof VisitEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    this.#watchIfWanted();
    return () => {
      listeners.delete(listener);
      if (!this.#isWatched()) this.#watching?.abort();
    };
  }

  /** Keeps the instance longer. Throws ProblemError, `extension_limit` where it cannot be. */
  async extend(minutes: number): Promise<void> {
    const extended = this.#connection.api.POST('/api/v1/demo/{id}/extend', { ...this.#path, body: { minutes } });
    this.#endsIn((await answered(extended)).ttl_seconds);
  }

  /** Says that it is still wanted, where the template ends what nobody uses. Throws ProblemError. */
  async use(): Promise<void> {
    await answered(this.#connection.api.POST('/api/v1/demo/{id}/use', this.#path));
  }

  /**
   * What the template lets be taken home, as it comes. A body that breaks off is not whole; one that is not read to its
   * end has to be cancelled. Throws ProblemError, `no_export` where it offers nothing.
   */
  async download(): Promise<Download> {
    const asked = this.#connection.api.GET('/api/v1/demo/{id}/export', { ...this.#path, parseAs: 'stream' });
    const body = await answered(asked);
    const { headers } = (await asked).response;
    return {
      file: /filename="([^"]*)"/.exec(headers.get('content-disposition') ?? '')?.[1] ?? 'download',
      type: headers.get('content-type') ?? 'application/octet-stream',
      body: body ?? new Blob([]).stream(),
    };
  }

  /** Gives the instance back, or the place in the line. Throws ProblemError. */
  async release(): Promise<void> {
    if (this.#acquired === undefined) {
      this.#gaveUp.abort();
      await this.#begun.catch(() => undefined);
      return;
    }
    await answered(this.#connection.api.DELETE('/api/v1/demo/{id}', this.#path));
    this.#end();
  }

  /** Stops listening; the instance goes on. */
  close(): void {
    this.#listeners.clear();
    this.#watching?.abort();
  }

  get #known(): Taken {
    if (this.#acquired === undefined) throw new Error('This visit has no instance yet; wait for its `ready`');
    return this.#acquired;
  }

  get #path() {
    return { params: { path: { id: this.id } } };
  }

  async #begin(begin: Begin, signal: AbortSignal): Promise<void> {
    await Promise.resolve();
    try {
      const acquired = await begin((place) => this.#queued(place), signal);
      this.#acquired = acquired;
      this.#endsIn(acquired.ttl_seconds);
      const { template, url, ttl_seconds: secondsLeft, expires_at: expiresAt } = acquired;
      this.#template = template;
      this.#emit('ready', { template, url, secondsLeft, expiresAt });
      this.#watchIfWanted();
    } catch (error) {
      this.#ended = true;
      if (error instanceof ProblemError) this.#failed(error);
      throw error;
    }
  }

  #queued({ template, position, eta_seconds: etaSeconds, reason }: Place): void {
    const told = `${position} ${etaSeconds ?? ''} ${reason}`;
    if (told !== this.#queueTold) this.#emit('queue', { template, position, etaSeconds, reason });
    this.#queueTold = told;
  }

  #emit<Name extends keyof VisitEvents>(name: Name, detail: VisitEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<Name>)(detail);
      } catch (error) {
        // As with events of the platform: a listener's failure is its own.
        queueMicrotask(() => {
          throw error instanceof Error ? error : new Error(String(error));
        });
      }
    }
  }

  #failed({ code, message, remedy, retryable, retryAfterSeconds }: ProblemError): void {
    this.#emit('error', { template: this.#template, code, message, remedy, retryable, retryAfterSeconds });
  }

  #isWatched(): boolean {
    return (['countdown', 'ending', 'ended'] as const).some((name) => (this.#listeners.get(name)?.size ?? 0) > 0);
  }

  #watchIfWanted(): void {
    if (this.state !== 'running' || this.#watching !== undefined || this.#refused || !this.#isWatched()) return;
    const watching = new AbortController();
    this.#watching = watching;
    void this.#watch(watching.signal).finally(() => {
      this.#watching = undefined;
      this.#watchIfWanted();
    });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#connection.listen(
          `/api/v1/demo/${this.id}/status`,
          { countdown: (data) => this.#tick(data as Tick), ended: () => this.#end() },
          signal,
        );
        signal.throwIfAborted();
        // No stream to be had: looking does as well.
        await this.#look();
        await pause(LOOK_EVERY_MS, signal);
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof ProblemError)) return;
      this.#refused = true;
      this.#failed(error);
    }
  }

  async #look(): Promise<void> {
    try {
      const found = await answered(this.#connection.api.GET('/api/v1/demo/{id}', this.#path));
      if (found.state === 'assigned') this.#tick({ ...found, remaining_seconds: found.ttl_seconds });
      else this.#end();
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'unknown_instance') this.#end();
      else if (!(error instanceof ProblemError && error.retryable)) throw error;
    }
  }

  #tick({ remaining_seconds: secondsLeft, seconds_until_unused_end: secondsUntilUnusedEnd }: Tick): void {
    this.#endsIn(secondsLeft);
    const template = this.#template;
    this.#emit('countdown', { template, secondsLeft, secondsUntilUnusedEnd });
    const level = WARN_AT_SECONDS.find((seconds) => secondsLeft <= seconds) ?? Infinity;
    const closer = level < this.#warnedAt;
    this.#warnedAt = level;
    if (closer) this.#emit('ending', { template, secondsLeft });
  }

  #endsIn(seconds: number): void {
    this.#endsAtMs = performance.now() + seconds * 1000;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watching?.abort();
    this.#emit('ended', { template: this.#template });
  }
}

function over(id: string): ProblemError {
  return new ProblemError({
    code: 'unknown_instance',
    status: 404,
    title: 'There is no such instance',
    detail: `The instance ${id} is being taken down`,
    remedy: 'It may have ended; acquire a new one.',
    retryable: false,
  });
}
