import type { FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import type { Acquired, Demos } from '../http/demos.ts';
import { secondsLeft } from '../http/time-left.ts';
import type { InstanceView, Refill } from '../pool/interfaces/claim-store.ts';
import type { Visitor, VisitorCookies } from './visitor.ts';

export interface VisitsOptions {
  readonly demos: Demos;
  readonly cookies: VisitorCookies;
  readonly clientKeyOf: (request: FastifyRequest) => string;
}

/** Why there is none yet. */
export interface Waiting {
  readonly waitingFor: Exclude<Refill['kind'], 'off'>;
}

/** What a visitor's clicks do at the pool, and what their browser remembers of it. */
export class Visits {
  readonly #demos: Demos;
  readonly #cookies: VisitorCookies;
  readonly #subjectOf: (request: FastifyRequest) => string;

  constructor({ demos, cookies, clientKeyOf }: VisitsOptions) {
    this.#demos = demos;
    this.#cookies = cookies;
    this.#subjectOf = clientKeyOf;
  }

  /**
   * The visitor's instance of this template; where none is ready, what is done about it. Where nothing is, it is no use
   * to wait: throws pool_empty. The same visitor always uses the same key,
   * so a second click, or one that crosses the first, finds the first one's instance for as long as it runs.
   */
  async take(
    request: FastifyRequest,
    reply: FastifyReply,
    template: Template,
    visitor: Visitor,
    open: string | undefined,
  ): Promise<Acquired | Waiting> {
    try {
      const acquired = await this.#demos.acquire({
        template: template.name,
        clientKey: this.#subjectOf(request),
        owner: visitor.owner,
        idempotencyKey: `page:${template.name}`,
        open,
        landing: 'later',
      });
      this.#cookies.hold(reply, template.name, acquired.id);
      if (this.#cookies.waitingSince(request, template.name) !== undefined)
        this.#cookies.stopWaiting(reply, template.name);
      return acquired;
    } catch (error) {
      if (!(error instanceof TryItNowError) || error.code !== 'pool_empty') throw error;
      const refill = error.details?.['refill'];
      if (refill === 'off') throw error;
      return { waitingFor: refill === 'failing' || refill === 'full' ? refill : 'preparing' };
    }
  }

  /** The running instance of this template that is this visitor's, as the pool and not the cookie has it. */
  async held(request: FastifyRequest, template: Template, visitor: Visitor): Promise<InstanceView | undefined> {
    const id = this.#cookies.held(request, template.name);
    if (id === undefined) return undefined;
    const view = await known(this.#demos.find(id));
    return view !== undefined && view.instance.owner === visitor.owner && secondsLeft(view) > 0 ? view : undefined;
  }

  async end(
    request: FastifyRequest,
    reply: FastifyReply,
    template: Template,
    visitor: Visitor,
  ): Promise<'ended' | 'gone'> {
    const view = await this.held(request, template, visitor);
    this.#cookies.letGo(reply, template.name);
    if (view === undefined) return 'gone';
    await known(this.#demos.release(view.instance.id));
    return 'ended';
  }

  async extend(
    request: FastifyRequest,
    template: Template,
    visitor: Visitor,
    minutes: number,
  ): Promise<'extended' | 'extension-limit' | 'gone'> {
    const view = await this.held(request, template, visitor);
    if (view === undefined) return 'gone';
    try {
      return (await known(this.#demos.extend(view.instance.id, minutes))) === undefined ? 'gone' : 'extended';
    } catch (error) {
      if (error instanceof TryItNowError && error.code === 'extension_limit') return 'extension-limit';
      throw error;
    }
  }
}

/** Undefined for an instance that has ended meanwhile. */
async function known<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof TryItNowError && (error.code === 'unknown_instance' || error.code === 'not_assigned'))
      return undefined;
    throw error;
  }
}
