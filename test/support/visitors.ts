import { once, setMaxListeners } from 'node:events';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import { describeError } from '../../src/domain/errors.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { OwnTime } from './own-time.ts';

/**
 * What asking for an instance came to. `hung`: no answer within HUNG_AFTER_MS. `unreachable`: nobody took the
 * connection, or it was cut.
 */
export interface Asked {
  readonly atMs: number;
  readonly tookMs: number;
  readonly outcome: 'ok' | 'hung' | 'unreachable' | (string & {});
  readonly status: number;
  /** As answered; undefined without the header. */
  readonly retryAfter: string | undefined;
}

/** Something a visitor noticed in their app. */
export interface Trouble {
  readonly atMs: number;
  readonly what: 'request' | 'websocket';
  readonly seen: string;
}

/** One visitor's stay. Times by performance.now(). */
export interface Visit {
  readonly id: string;
  readonly arrivedAtMs: number;
  readonly troubles: Trouble[];
  /** Good answers, to requests and on the WebSocket. */
  good: number;
  firstGoodAtMs: number | undefined;
  /** 0 before the first. */
  lastGoodAtMs: number;
  /** The longest time between two good answers to requests. */
  longestGapMs: number;
  /** What extending and releasing came to, where it was not as it should be. */
  readonly refusals: string[];
}

export interface CrowdOptions {
  readonly api: string;
  readonly proxyPort: number;
  readonly arrivalsPerSecond: number;
  readonly stayMs: number;
  readonly template?: string;
  /** Where the app echoes on a WebSocket; undefined when it has none. */
  readonly webSocketPath: string | undefined;
}

/** A visitor would have closed the tab by then; every bounded wait of ours is far below it. */
const HUNG_AFTER_MS = 10_000;
/** In the app an answer takes a few milliseconds. */
const APP_TIMEOUT_MS = 2_000;
const PAUSE_MS = 100;
const EXTEND_MINUTES = 1;
const RETRY_MS = 1_000;
const COMMAND_PATIENCE_MS = 60_000;

/**
 * A steady crowd: so many visitors a second, each of which acquires, opens the app through the proxy, keeps a request
 * loop and a WebSocket going in it, extends and releases; and residents, who stay until told. All they saw is kept.
 */
export class Crowd implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly visits: Visit[] = [];
  readonly residents: Visit[] = [];
  readonly #options: CrowdOptions;
  readonly #agent = new Agent({ connections: 256 });
  readonly #time = new OwnTime();
  readonly #arriving = endless();
  readonly #leaving = endless();
  readonly #underway = new Set<Promise<void>>();
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Resolves when all of them are in their apps. */
  async settle(count: number): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const acquired = await this.#acquire();
        if (acquired === undefined) throw new Error(`a resident got no instance: ${this.asked.at(-1)?.outcome ?? ''}`);
        const visit = this.#enter(this.residents, acquired.id);
        this.#track(this.#live(visit, acquired, this.#leaving.signal));
        while (visit.good < 2) {
          if (visit.troubles.length > 0)
            throw new Error(`a resident could not open the app: ${visit.troubles[0]?.seen ?? ''}`);
          await sleep(20);
        }
      }),
    );
  }

  start(): void {
    this.#ticker = setInterval(() => this.#track(this.#comeAndGo()), 1_000 / this.#options.arrivalsPerSecond);
  }

  /** Nobody comes any more; those who are there stay their time. Resolves when they have left. */
  async lastCall(): Promise<void> {
    clearInterval(this.#ticker);
    const residents = this.residents.length;
    while (this.#underway.size > residents) await sleep(20);
  }

  /** The residents leave too. */
  async goHome(): Promise<void> {
    clearInterval(this.#ticker);
    this.#arriving.abort();
    this.#leaving.abort();
    await Promise.all(this.#underway);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goHome();
    this.#time[Symbol.dispose]();
    await this.#agent.destroy();
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#underway.delete(tracked));
    this.#underway.add(tracked);
  }

  async #comeAndGo(): Promise<void> {
    const acquired = await this.#acquire();
    if (acquired === undefined) return;
    const visit = this.#enter(this.visits, acquired.id);
    // Not AbortSignal.any over a timeout: Node 20 may collect that before it fires.
    const over = endless();
    const leave = (): void => over.abort();
    const timer = setTimeout(leave, this.#options.stayMs);
    this.#arriving.signal.addEventListener('abort', leave, { once: true });
    await this.#live(visit, acquired, over.signal);
    clearTimeout(timer);
    this.#arriving.signal.removeEventListener('abort', leave);
  }

  #enter(among: Visit[], id: string): Visit {
    const visit: Visit = {
      id,
      arrivedAtMs: performance.now(),
      troubles: [],
      good: 0,
      firstGoodAtMs: undefined,
      lastGoodAtMs: 0,
      longestGapMs: 0,
      refusals: [],
    };
    among.push(visit);
    return visit;
  }

  async #acquire(): Promise<{ readonly id: string; readonly host: string } | undefined> {
    const { api, template } = this.#options;
    const atMs = performance.now();
    const note = (outcome: Asked['outcome'], status = 0, retryAfter?: string): void => {
      this.asked.push({ atMs, tookMs: performance.now() - atMs, outcome, status, retryAfter });
    };
    try {
      const { statusCode, headers, body } = await request(`${api}/api/v1/demo/acquire`, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: this.#time.limit(HUNG_AFTER_MS),
        ...(template === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ template }) }),
      });
      const answer = JSON.parse(await body.text()) as { id?: string; url?: string; code?: string };
      if (answer.id !== undefined && answer.url !== undefined) {
        note('ok', statusCode);
        return { id: answer.id, host: new URL(answer.url).host };
      }
      const retryAfter = headers['retry-after'];
      note(answer.code ?? `status ${statusCode}`, statusCode, typeof retryAfter === 'string' ? retryAfter : undefined);
    } catch (error) {
      note(isTimeout(error) ? 'hung' : 'unreachable');
    }
    return undefined;
  }

  async #live(
    visit: Visit,
    acquired: { readonly id: string; readonly host: string },
    stay: AbortSignal,
  ): Promise<void> {
    const middle = sleep(this.#options.stayMs / 2, stay).then(() =>
      this.#command(visit, 'POST', `/api/v1/demo/${acquired.id}/extend`, { minutes: EXTEND_MINUTES }),
    );
    await Promise.all([
      this.#requestLoop(visit, acquired.host, stay),
      this.#webSocketLoop(visit, acquired.host, stay),
      middle,
    ]);
    await this.#command(visit, 'DELETE', `/api/v1/demo/${acquired.id}`);
  }

  async #requestLoop(visit: Visit, host: string, stay: AbortSignal): Promise<void> {
    let lastGood = performance.now();
    while (!stay.aborted) {
      const atMs = performance.now();
      try {
        const { statusCode, body } = await request(`http://127.0.0.1:${this.#options.proxyPort}/`, {
          dispatcher: this.#agent,
          headers: { host, accept: 'text/html' },
          signal: this.#time.limit(APP_TIMEOUT_MS),
        });
        await body.dump();
        if (statusCode === 200) {
          visit.longestGapMs = Math.max(visit.longestGapMs, performance.now() - lastGood);
          lastGood = performance.now();
          visit.good += 1;
          visit.firstGoodAtMs ??= lastGood;
          visit.lastGoodAtMs = lastGood;
        } else {
          visit.troubles.push({ atMs, what: 'request', seen: `status ${statusCode}` });
        }
      } catch (error) {
        visit.troubles.push({ atMs, what: 'request', seen: isTimeout(error) ? 'hung' : describeError(error) });
      }
      await sleep(PAUSE_MS, stay);
    }
  }

  async #webSocketLoop(visit: Visit, host: string, stay: AbortSignal): Promise<void> {
    const { proxyPort, webSocketPath } = this.#options;
    if (webSocketPath === undefined) return;
    const over = (): boolean => stay.aborted;
    while (!stay.aborted) {
      const socket = new WebSocket(`ws://127.0.0.1:${proxyPort}${webSocketPath}`, {
        headers: { host },
      });
      // The rejections below tell; without a listener an error would end the process.
      socket.on('error', () => undefined);
      try {
        await once(socket, 'open', { signal: this.#time.limit(APP_TIMEOUT_MS) });
        for (;;) {
          await echoed(socket, `${visit.id} ${performance.now()}`, this.#time.limit(APP_TIMEOUT_MS));
          visit.good += 1;
          await sleep(PAUSE_MS, stay);
          if (over()) return;
        }
      } catch (error) {
        visit.troubles.push({
          atMs: performance.now(),
          what: 'websocket',
          seen: isTimeout(error) ? 'hung' : describeError(error),
        });
      } finally {
        socket.terminate();
      }
      await sleep(PAUSE_MS, stay);
    }
  }

  /** As a decent client: what may succeed later is tried again, and what was seen is kept. */
  async #command(visit: Visit, method: 'POST' | 'DELETE', path: string, json?: object): Promise<void> {
    const giveUpAt = performance.now() + COMMAND_PATIENCE_MS;
    for (;;) {
      const refusal = await this.#commandOnce(method, path, json);
      if (refusal === undefined) return;
      visit.refusals.push(refusal.code);
      if (!refusal.retryable || performance.now() > giveUpAt) return;
      await sleep(RETRY_MS);
    }
  }

  async #commandOnce(
    method: 'POST' | 'DELETE',
    path: string,
    json?: object,
  ): Promise<{ readonly code: string; readonly retryable: boolean } | undefined> {
    try {
      const { statusCode, body } = await request(`${this.#options.api}${path}`, {
        method,
        dispatcher: this.#agent,
        signal: this.#time.limit(HUNG_AFTER_MS),
        ...(json === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) }),
      });
      const text = await body.text();
      if (statusCode < 300) return undefined;
      return {
        code: (JSON.parse(text) as { code?: string }).code ?? `status ${statusCode}`,
        retryable: statusCode >= 500,
      };
    } catch (error) {
      return { code: isTimeout(error) ? 'hung' : 'unreachable', retryable: true };
    }
  }
}

/** Rejects when the socket closes first, or nothing comes back before the limit. */
function echoed(socket: WebSocket, text: string, limit: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      limit.removeEventListener('abort', silent);
      socket.off('message', back).off('close', cut);
      outcome();
    };
    const back = (): void => settle(resolve);
    const cut = (): void => settle(() => reject(new Error('cut')));
    const silent = (): void => settle(() => reject(new Error('silent')));
    limit.addEventListener('abort', silent);
    socket.on('message', back).on('close', cut);
    socket.send(text);
  });
}

/** Every visitor waits on it in several places; Node warns of a leak from eleven on. */
function endless(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

function isTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'TimeoutError' ||
    (error.name === 'AbortError' && error.cause instanceof Error && error.cause.name === 'TimeoutError')
  );
}
