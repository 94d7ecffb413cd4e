import type { Client } from 'openapi-fetch';
import type { paths } from './api.ts';
import { answered, Connection, type ConnectionOptions } from './connection.ts';
import { takeNow, waitInLine } from './line.ts';
import { newSecret, secretOf } from './secret.ts';
import { Visit } from './visit.ts';

export type ClientOptions = ConnectionOptions;
export type Template =
  paths['/api/v1/templates']['get']['responses'][200]['content']['application/json']['templates'][number];

export interface VisitOptions {
  /** Which app; without it the server's first. */
  readonly template?: string;
  /** Where the visitor lands, of what the template allows, such as `/cart`. */
  readonly open?: string;
  /** False: fails with `pool_empty` where none is ready, instead of waiting in line. */
  readonly wait?: boolean;
  /**
   * A UUID. The same again finds the place or the instance of before, also after a restart or a reload; whoever knows
   * it can take them.
   */
  readonly idempotencyKey?: string;
  /** Gives up: a place is left to those behind, an instance that arrives meanwhile is given back. */
  readonly signal?: AbortSignal;
}

/** A Try It Now server. */
export class TryItNow {
  readonly #connection: Connection;

  constructor(options: ClientOptions) {
    this.#connection = new Connection(options);
  }

  /** Everything the server's API has, with types. Answers are as `openapi-fetch` gives them; nothing is thrown. */
  get api(): Client<paths> {
    return this.#connection.api;
  }

  /** What can be tried. Throws ProblemError. */
  async templates(): Promise<readonly Template[]> {
    return (await answered(this.api.GET('/api/v1/templates'))).templates;
  }

  /** Begins a visit and returns at once: its events tell how it goes. */
  visit({ template, open, wait = true, idempotencyKey, signal }: VisitOptions = {}): Visit {
    const secret = idempotencyKey === undefined ? newSecret() : secretOf(idempotencyKey);
    return Visit.begin(
      this.#connection,
      async (told, given) => {
        const wish = { template: template ?? (await this.#defaultTemplate()), open, secret };
        return wait ? waitInLine(this.#connection, wish, told, given) : takeNow(this.#connection, wish, given);
      },
      template ?? '',
      signal,
    );
  }

  /** Resolves when the app runs. Throws ProblemError, or the signal's reason. */
  async acquire(options: VisitOptions = {}): Promise<Visit> {
    return this.visit(options).ready;
  }

  /** The visit to an instance that runs already. Throws ProblemError, `unknown_instance` where it has ended. */
  async find(id: string): Promise<Visit> {
    return Visit.of(this.#connection, id).ready;
  }

  async #defaultTemplate(): Promise<string> {
    const templates = await this.templates();
    return templates.find((each) => each.default)?.name ?? '';
  }
}
