import { lookup, type LookupOneOptions } from 'node:dns';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { Agent, request, type Dispatcher } from 'undici';
import { describeError } from '../../domain/errors.ts';
import { deadlineSignal } from '../../lifecycle/deadline.ts';
import { eitherOf } from '../../lifecycle/either-of.ts';

const ANSWER_WITHIN_MS = 10_000;
const PROBLEM = Type.Object({ code: Type.String(), detail: Type.String() });
const TAKEN = Type.Object({ id: Type.String(), url: Type.String(), template: Type.String() });
const EXTENDED = Type.Object({ ttl_seconds: Type.Number() });

export type Taken = Static<typeof TAKEN>;

/** What the API refused, with its code. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Uses the public API and the proxy as a visitor would, from this host. Throws Refused, and
 * whatever kept an answer away.
 */
export class Visitor {
  readonly #api: string;
  readonly #key: string | undefined;
  /** `*.localhost` is this host to every browser, but not to every resolver. */
  readonly #agent = new Agent({
    connect: {
      lookup: (host, options, done) =>
        lookup(/(^|\.)localhost$/.test(host) ? 'localhost' : host, options as LookupOneOptions, done),
    },
  });

  constructor(api: string, key: string | undefined) {
    this.#api = api.replace(/\/$/, '');
    this.#key = key;
  }

  /** Never broken off: what is handed over to nobody could not be given back. */
  async acquire(template: string | undefined): Promise<Taken> {
    return this.#json(
      TAKEN,
      await this.#ask('POST', '/api/v1/demo/acquire', undefined, template === undefined ? {} : { template }),
    );
  }

  /** Seconds left by then. */
  async extend(id: string, minutes: number, signal: AbortSignal): Promise<number> {
    return (await this.#json(EXTENDED, await this.#ask('POST', `/api/v1/demo/${id}/extend`, signal, { minutes })))
      .ttl_seconds;
  }

  /** The name of the status stream's first event. */
  async firstEvent(id: string, signal: AbortSignal): Promise<string> {
    const { body } = await this.#ask('GET', `/api/v1/demo/${id}/status`, signal);
    let text = '';
    for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      const name = /^event: ?(\S+)[\s\S]*?\n\n/m.exec(text)?.[1];
      if (name !== undefined) return name;
    }
    throw new Error('the status stream ended before its first event');
  }

  async release(id: string, signal?: AbortSignal): Promise<void> {
    const { body } = await this.#ask('DELETE', `/api/v1/demo/${id}`, signal);
    await body.dump();
  }

  /** The status that the instance's address answers with. */
  async open(url: string, signal: AbortSignal): Promise<number> {
    const answer = await this.#send(url, { method: 'GET', headers: { accept: 'text/html' }, reset: true }, signal);
    await answer.body.dump();
    return answer.statusCode;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #ask(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    signal: AbortSignal | undefined,
    body?: object,
  ): Promise<Dispatcher.ResponseData> {
    const answer = await this.#send(
      `${this.#api}${path}`,
      {
        method,
        headers: {
          accept: 'application/json',
          ...(this.#key === undefined ? {} : { 'x-api-key': this.#key }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      signal,
    );
    if (answer.statusCode < 400) return answer;
    const problem: unknown = await answer.body.json().catch(() => undefined);
    throw Value.Check(PROBLEM, problem)
      ? new Refused(problem.code, problem.detail)
      : new Error(`${this.#api} answers ${answer.statusCode}, and not as the API does`);
  }

  async #send(
    url: string,
    options: Omit<Dispatcher.RequestOptions, 'path' | 'origin'>,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> {
    const limit = deadlineSignal(ANSWER_WITHIN_MS);
    const either = eitherOf(signal, limit);
    const leave = (): void => either[Symbol.dispose]();
    try {
      const answer = await request(url, {
        ...options,
        dispatcher: this.#agent,
        signal: either.signal,
      });
      answer.body.once('close', leave);
      return answer;
    } catch (error) {
      leave();
      signal?.throwIfAborted();
      const { origin } = new URL(url);
      throw new Error(
        limit.aborted
          ? `${origin} does not answer within ${ANSWER_WITHIN_MS / 1_000} s`
          : `${origin} does not answer (${describeError(error)})`,
        { cause: error },
      );
    }
  }

  async #json<T extends Type.TSchema>(schema: T, answer: Dispatcher.ResponseData): Promise<Static<T>> {
    const body: unknown = await answer.body.json();
    if (!Value.Check(schema, body)) throw new Error(`${this.#api} does not answer as this version of the API does`);
    return body;
  }
}
