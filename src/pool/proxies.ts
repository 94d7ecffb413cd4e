import { TryItNowError } from '../domain/errors.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { Probe } from './interfaces/probe.ts';

/** A proxy that is well has answered by then: after it the others are asked as well. */
const OTHERS_AFTER_MS = 1_000;

type Question = Omit<Parameters<Probe['untilOk']>[0], 'url'>;

/** Those that this host reaches, each of which leads to every instance. The one that answered last comes first. */
export class Proxies {
  readonly #probe: Pick<Probe, 'untilOk' | 'download'>;
  readonly #othersAfterMs: number;
  #inTurn: readonly [string, ...string[]];

  constructor(
    probe: Pick<Probe, 'untilOk' | 'download'>,
    urls: readonly [string, ...string[]],
    othersAfterMs = OTHERS_AFTER_MS,
  ) {
    this.#probe = probe;
    this.#inTurn = urls;
    this.#othersAfterMs = othersAfterMs;
  }

  /** The one that answered last. */
  get preferred(): string {
    return this.#inTurn[0];
  }

  /** All of them, for a message. */
  get inWords(): string {
    return this.#inTurn.join(' or ');
  }

  /** Until any of them answers as wanted. Throws not_ready_in_time, of the preferred one. */
  async untilOk(path: string, question: Question, signal: AbortSignal): Promise<void> {
    const answered = new AbortController();
    using either = eitherOf(signal, answered.signal);
    const asked = this.#inTurn.map(async (url, at) => {
      const waitMs = at === 0 ? 0 : Math.min(this.#othersAfterMs, question.timeoutMs);
      if (waitMs > 0) await sleep(waitMs, either.signal);
      const timeoutMs = question.timeoutMs - waitMs;
      await this.#probe.untilOk({ ...question, url: `${url}${path}`, timeoutMs }, either.signal);
      return url;
    });
    try {
      this.#prefer(await Promise.any(asked));
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AggregateError ? error.errors[0] : error;
    } finally {
      answered.abort();
      await Promise.allSettled(asked);
    }
  }

  /** By the first that takes the request. Throws what the last one was refused with. */
  async download(
    path: string,
    visitor: Parameters<Probe['download']>[0]['visitor'],
    signal: AbortSignal,
  ): ReturnType<Probe['download']> {
    let refusal: unknown;
    for (const url of this.#inTurn)
      try {
        const answer = await this.#probe.download({ url: `${url}${path}`, visitor }, signal);
        this.#prefer(url);
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        refusal = error;
      }
    throw refusal instanceof Error
      ? refusal
      : new TryItNowError('proxy_unavailable', `Nothing answers at ${this.inWords}`);
  }

  #prefer(url: string): void {
    this.#inTurn = [url, ...this.#inTurn.filter((each) => each !== url)];
  }
}
