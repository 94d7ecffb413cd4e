import type { FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import { ownersKey } from '../domain/ids.ts';
import type { Lead } from '../domain/lead.ts';
import type { Template } from '../domain/template.ts';
import type { Acquired, Demos, Place } from '../http/demos.ts';
import type { SiteOf } from '../http/embedding-site.ts';
import { secondsLeft } from '../http/time-left.ts';
import type { InstanceView, Refill } from '../pool/interfaces/claim-store.ts';
import { field } from '../http/field.ts';
import type { Visitor, VisitorCookies } from './visitor.ts';

export interface VisitsOptions {
  readonly demos: Demos;
  readonly cookies: VisitorCookies;
  readonly clientKeyOf: (request: FastifyRequest) => string;
  readonly siteOf: SiteOf;
}

/** Why there is none yet, and how the visitor stands; undefined where the place lapsed meanwhile. */
export interface Waiting {
  readonly waitingFor: Exclude<Refill['kind'], 'off'>;
  readonly place: Place | undefined;
}

export interface Click {
  readonly visitor: Visitor;
  /** Where they want to land. */
  readonly open: string | undefined;
  /** What they told of themselves; undefined: nothing, or earlier. */
  readonly lead?: Lead | undefined;
}

/** What a visitor's clicks do at the pool, and what their browser remembers of it. */
export class Visits {
  readonly #demos: Demos;
  readonly #cookies: VisitorCookies;
  readonly #subjectOf: (request: FastifyRequest) => string;
  readonly #siteOf: SiteOf;

  constructor({ demos, cookies, clientKeyOf, siteOf }: VisitsOptions) {
    this.#demos = demos;
    this.#cookies = cookies;
    this.#subjectOf = clientKeyOf;
    this.#siteOf = siteOf;
  }

  /**
   * The visitor's instance of this template; where none is ready, what is done about it. Where nothing is, it is no use
   * to wait: throws pool_empty. The same visitor always uses the same key, which is their place in the line too,
   * so a second click, or one that crosses the first, finds the first one's instance for as long as it runs. What they
   * told is kept for whoever has a place or an instance, so that nobody else has anything of theirs written.
   */
  async take(
    request: FastifyRequest,
    reply: FastifyReply,
    template: Template,
    { visitor, open, lead }: Click,
  ): Promise<Acquired | Waiting> {
    const answer = await this.#demos
      .acquireOrWait({
        template: template.name,
        clientKey: this.#subjectOf(request),
        owner: visitor.owner,
        idempotencyKey: keyOf(template),
        site: this.#siteOf(request, field(request.body, 'site')),
        open,
        landing: 'later',
        solution: field(request.body, 'altcha') || undefined,
      })
      .catch(async (error: unknown) => {
        // Who is turned away is asked again: nobody has what they told.
        // But not who comes back at once, with the solution of a challenge.
        if (asksBefore(template) && !isChallenge(error))
          await this.#forgetLead(reply, template, visitor).catch(() => undefined);
        throw error;
      });
    if (lead !== undefined) await this.#demos.leads.keep(placeId(template, visitor), lead);
    if (asksBefore(template)) this.#cookies.answered(reply, template.name);
    if (!('url' in answer)) {
      const { kind } = answer.refill;
      return {
        waitingFor: kind === 'failing' || kind === 'full' ? kind : 'preparing',
        place: await this.place(template, visitor),
      };
    }
    if (asksBefore(template)) await this.#demos.leads.tellKept(answer, placeId(template, visitor));
    this.#cookies.hold(reply, template.name, answer.id);
    if (this.#cookies.waitingSince(request, template.name) !== undefined)
      this.#cookies.stopWaiting(reply, template.name);
    return answer;
  }

  /** How the visitor stands in the line, and keeps standing by being looked for. */
  async place(template: Template, visitor: Visitor): Promise<Place | undefined> {
    const id = placeId(template, visitor);
    return (await this.#demos.places(template.name, [id])).get(id);
  }

  /** Those behind move up. */
  async giveUp(reply: FastifyReply, template: Template, visitor: Visitor): Promise<void> {
    await this.#demos.leave(template.name, placeId(template, visitor));
    if (asksBefore(template)) await this.#forgetLead(reply, template, visitor);
  }

  async #forgetLead(reply: FastifyReply, template: Template, visitor: Visitor): Promise<void> {
    this.#cookies.askAgain(reply, template.name);
    await this.#demos.leads.forget(placeId(template, visitor));
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
  ): Promise<'extended' | 'extension-limit' | 'others-wait' | 'gone'> {
    const view = await this.held(request, template, visitor);
    if (view === undefined) return 'gone';
    try {
      return (await known(this.#demos.extend(view.instance.id, minutes))) === undefined ? 'gone' : 'extended';
    } catch (error) {
      if (error instanceof TryItNowError && error.code === 'extension_limit') return 'extension-limit';
      if (error instanceof TryItNowError && error.code === 'others_wait') return 'others-wait';
      throw error;
    }
  }
}

/** Of a visitor's place in the line. */
export function placeId(template: Template, { owner }: Visitor): string {
  return ownersKey(owner, keyOf(template));
}

function isChallenge(error: unknown): boolean {
  return error instanceof TryItNowError && error.code === 'challenge_required';
}

function asksBefore({ lead }: Template): boolean {
  return lead?.ask === 'before';
}

function keyOf({ name }: Template): string {
  return `page:${name}`;
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
