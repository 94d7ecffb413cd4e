import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import type { Acquired, Place } from '../http/demos.ts';
import type { WaitingStreams } from '../http/waiting-streams.ts';
import { field } from '../http/field.ts';
import { sendPage, wantsPage } from './page-response.ts';
import { html } from '../presentation/html.ts';
import { problemHeaders } from '../http/problem.ts';
import type { SiteOf } from '../http/embedding-site.ts';
import type { Origins } from '../http/origins.ts';
import type { InstanceView } from '../pool/interfaces/claim-store.ts';
import { challengePage } from './pages/challenge.ts';
import { clickAgainPage } from './pages/click-again.ts';
import { formFields, siteField } from './pages/home.ts';
import { LEAD_CHOICES, toldFields } from './pages/lead.ts';
import { handOverPage } from './pages/hand-over.ts';
import { gaveUpPage, progressText, waitingFor, waitingPage } from './pages/waiting.ts';
import type { Presentations } from './presentation.ts';
import type { LeadForms } from './lead-forms.ts';
import { isNavigation, isPrefetch } from './same-origin.ts';
import { parseSince, type Visitor, type VisitorCookies } from './visitor.ts';
import { placeId, type Click, type Visits } from './visits.ts';
import { wayIn, withOpen } from './way-in.ts';

export interface WaitingRoomOptions {
  readonly presentations: Presentations;
  /** Of the start page. */
  readonly publicOrigin: string;
  readonly clock: Clock;
  readonly cookies: VisitorCookies;
  readonly origins: Pick<Origins, 'isForeign'>;
  readonly visits: Visits;
  readonly leadForms: LeadForms;
  readonly streams: WaitingStreams;
  readonly clientKeyOf: (request: FastifyRequest) => string;
  readonly siteOf: SiteOf;
  /** After this a visitor is told that it takes too long. */
  readonly limitMs?: number;
}

/** Who has a place, and is told how long it takes, may wait long. */
export const WAIT_LIMIT_MS = 30 * 60_000;

interface Wish extends Pick<Click, 'visitor' | 'open'> {
  readonly sinceMs: number;
}

/**
 * From a click to an instance, also when none is ready. The click (a POST) leaves a wish: a cookie, or for browsers
 * without cookies the query of the waiting page. With the script the page repeats the POST; without it the browser
 * refreshes GET /wait, which takes an instance only for a wish, from our own page, and never for a prefetch.
 * The same wish always gets the same instance, so repeating it does nothing new; until then it has one place in the
 * line, which a reload keeps and the events tell of.
 */
export class WaitingRoom {
  readonly #options: Required<WaitingRoomOptions>;

  constructor(options: WaitingRoomOptions) {
    this.#options = { limitMs: WAIT_LIMIT_MS, ...options };
  }

  /** POST /try/:template, from a form or from the waiting page's script. */
  async enter(request: FastifyRequest, reply: FastifyReply, template: Template): Promise<FastifyReply> {
    const { cookies, origins } = this.#options;
    // They may well have a cookie of ours, which would be replaced, and with it whose visits are theirs.
    if (wantsPage(request) && cookies.known(request) === undefined && origins.isForeign(request))
      return this.#clickAgain(request, reply, template);
    const visitor = cookies.identify(request, reply, field(request.body, 'visitor'));
    const open = field(request.query, 'open');
    const told = await this.#options.leadForms.before(request, reply, template, visitor);
    return told === undefined ? reply : this.#serve(request, reply, template, { visitor, open, ...told });
  }

  /**
   * GET /again/:label: from the page that says that an instance's host is gone. Its visitor gets another in place of
   * it, or, should the host be back, the same; everybody else is where anybody begins.
   */
  async again(
    request: FastifyRequest,
    reply: FastifyReply,
    { instance }: InstanceView,
    template: Template,
  ): Promise<FastifyReply> {
    const visitor = this.#options.cookies.known(request);
    if (isPrefetch(request)) return reply.code(503).send();
    if (visitor?.owner !== instance.owner || !isNavigation(request))
      return reply.redirect(`/try/${encodeURIComponent(template.name)}`, 303);
    return this.#serve(request, reply, template, { visitor, open: undefined });
  }

  async #serve(request: FastifyRequest, reply: FastifyReply, template: Template, click: Click): Promise<FastifyReply> {
    const { visitor, open } = click;
    const { visits } = this.#options;
    const scripted = !wantsPage(request);
    const taken = await visits
      .take(request, reply, template, click)
      .catch((error: unknown) => this.#challenge(request, reply, template, click, error));
    if (taken === undefined) return reply;
    if ('url' in taken) {
      const url = this.#wayIn(template, taken, visitor, open);
      return scripted
        ? reply.send({ state: 'ready', again: taken.again, url })
        : this.#handOver(request, reply, template, url);
    }
    const sinceMs = this.#placedSince(this.#since(request, template, field(request.body, 'since')), taken.place);
    if (scripted && this.#waited(sinceMs) > this.#options.limitMs) {
      await visits.giveUp(reply, template, visitor);
      return reply.send({ state: 'gave_up' });
    }
    // A click on a page starts again; a wish too old to be still waited for was of an earlier visit.
    const beganMs = this.#waited(sinceMs) > this.#options.limitMs ? this.#options.clock.now() : sinceMs;
    this.#remember(reply, template, beganMs);
    if (!scripted) return reply.redirect(this.#waitUrl(template, { visitor, sinceMs: beganMs, open }), 303);
    const { t } = this.#options.presentations.for(request);
    return reply.code(202).send({
      state: 'waiting',
      waited_seconds: seconds(this.#waited(sinceMs)),
      progress: progressText(t, taken.waitingFor, taken.place),
    });
  }

  /** GET /wait/:template: what a waiting browser shows, and refreshes. */
  async look(request: FastifyRequest, reply: FastifyReply, template: Template): Promise<FastifyReply> {
    const { presentations, cookies, visits, limitMs } = this.#options;
    const wish = this.#wish(request, reply, template);
    if (wish === undefined) return reply.redirect('/', 303);
    const parts = {
      presentation: presentations.for(request),
      template,
      visitorToken: wish.visitor.token,
      open: wish.open,
    };
    if (this.#waited(wish.sinceMs) > limitMs) {
      cookies.stopWaiting(reply, template.name);
      await visits.giveUp(reply, template, wish.visitor);
      return sendPage(reply, gaveUpPage({ ...parts, waitedSeconds: seconds(this.#waited(wish.sinceMs)) }));
    }
    const taken = mayTake(request)
      ? await visits
          .take(request, reply, template, wish)
          .catch((error: unknown) => this.#challenge(request, reply, template, wish, error))
      : undefined;
    if (reply.sent) return reply;
    if (taken !== undefined && 'url' in taken) {
      return this.#handOver(request, reply, template, this.#wayIn(template, taken, wish.visitor, wish.open));
    }
    const place = taken === undefined ? await visits.place(template, wish.visitor) : taken.place;
    const sinceMs = this.#placedSince(wish.sinceMs, place);
    if (sinceMs !== wish.sinceMs) this.#remember(reply, template, sinceMs);
    const waitedSeconds = seconds(this.#waited(sinceMs));
    return sendPage(reply, waitingPage({ ...parts, sinceMs, waitedSeconds, place, waitingFor: taken?.waitingFor }));
  }

  /** GET /wait/:template/events: how the visitor stands, as Server-Sent Events. Takes nothing. */
  async watch(request: FastifyRequest, reply: FastifyReply, template: Template): Promise<FastifyReply> {
    const { clientKeyOf, presentations, streams, visits } = this.#options;
    const wish = this.#wish(request, reply, template);
    const clientKey = clientKeyOf(request);
    streams.admit(clientKey);
    const first = wish === undefined ? undefined : await visits.place(template, wish.visitor);
    if (wish === undefined || first === undefined)
      throw new TryItNowError('unknown_place', `You do not wait for "${template.name}"; open the start page`);
    streams.admit(clientKey);
    const { t } = presentations.for(request);
    if (request.method === 'HEAD') return reply.type('text/event-stream; charset=utf-8').send('');
    const tell = (place: Place): object => ({ progress: progressText(t, waitingFor(place), place) });
    reply.hijack();
    streams.attach(
      { template: template.name, place: placeId(template, wish.visitor), clientKey, tell },
      reply.raw,
      { 'x-request-id': request.id, 'x-content-type-options': 'nosniff' },
      first,
    );
    return reply;
  }

  /** POST /leave/:template: stops waiting. */
  async leave(request: FastifyRequest, reply: FastifyReply, template: Template): Promise<FastifyReply> {
    const { cookies, visits } = this.#options;
    cookies.stopWaiting(reply, template.name);
    await visits.giveUp(reply, template, cookies.identify(request, reply, field(request.body, 'visitor')));
    return reply.redirect('/', 303);
  }

  #clickAgain(request: FastifyRequest, reply: FastifyReply, template: Template): FastifyReply {
    return sendPage(
      reply,
      clickAgainPage({
        presentation: this.#options.presentations.for(request, template.name),
        template,
        action: tryUrl(request, template),
        fields: siteField(this.#options.siteOf(request)),
      }),
    );
  }

  /** Sends the page that solves a challenge, where that is what keeps a browser from an instance; else throws again. */
  #challenge(
    request: FastifyRequest,
    reply: FastifyReply,
    template: Template,
    { visitor, lead }: Click,
    error: unknown,
  ): undefined {
    if (!(error instanceof TryItNowError) || error.code !== 'challenge_required' || !wantsPage(request)) throw error;
    const presentation = this.#options.presentations.for(request, template.name);
    const skipped = field(request.body, 'lead') === LEAD_CHOICES.skipped;
    const site = this.#options.siteOf(request, field(request.body, 'site'));
    problemHeaders(reply, error);
    sendPage(
      reply,
      challengePage({
        presentation,
        template,
        action: tryUrl(request, template),
        fields: html`${formFields({ visitorToken: visitor.token, site })}${
          skipped && html`<input type="hidden" name="lead" value="${LEAD_CHOICES.skipped}">`
        }${lead !== undefined && toldFields(lead)}`,
        challenge: error.details?.['challenge'],
      }),
    );
    return undefined;
  }

  #wayIn(template: Template, { id, label, url, bare }: Acquired, { owner }: Visitor, open: string | undefined): string {
    return wayIn(template, { id, label, owner, bare }, url, { open, publicOrigin: this.#options.publicOrigin });
  }

  #handOver(request: FastifyRequest, reply: FastifyReply, template: Template, url: string): FastifyReply {
    // Our own page needs none that goes on by itself.
    if (url.startsWith('/visit/') && !/\/open(\?|$)/.test(url)) return reply.redirect(url, 303);
    const presentation = this.#options.presentations.for(request);
    return sendPage(reply, handOverPage({ presentation, template, url }));
  }

  /** Undefined when nobody clicked: then this address gives nothing away. */
  #wish(request: FastifyRequest, reply: FastifyReply, template: Template): Wish | undefined {
    const { cookies } = this.#options;
    const open = field(request.query, 'open');
    const fromCookie = cookies.waitingSince(request, template.name);
    if (fromCookie !== undefined) {
      const visitor = cookies.identify(request, reply);
      if (visitor.hasCookie) return { visitor, sinceMs: fromCookie, open };
    }
    // A query can be put into any link, so it counts only where the browser vouches for our own page.
    if (request.headers['sec-fetch-site'] !== 'same-origin') return undefined;
    const token = field(request.query, 'visitor');
    const sinceMs = parseSince(field(request.query, 'since'));
    return token === undefined || sinceMs === undefined
      ? undefined
      : { visitor: cookies.identify(request, reply, token), sinceMs, open };
  }

  #since(request: FastifyRequest, template: Template, told: string | undefined): number {
    return this.#options.cookies.waitingSince(request, template.name) ?? parseSince(told) ?? this.#options.clock.now();
  }

  /** A place lapses long before what the browser remembers of it: who comes back then has not waited all the while. */
  #placedSince(sinceMs: number, place: Place | undefined): number {
    return place === undefined ? sinceMs : Math.max(sinceMs, this.#options.clock.now() - place.waitedMs);
  }

  #waited(sinceMs: number): number {
    return Math.max(0, this.#options.clock.now() - sinceMs);
  }

  #remember(reply: FastifyReply, template: Template, sinceMs: number): void {
    // A little longer than the wait itself, so that the last look still finds it and can say that it is over.
    this.#options.cookies.wait(reply, template.name, sinceMs, Math.ceil(this.#options.limitMs / 1000) + 60);
  }

  #waitUrl(template: Template, { visitor, sinceMs, open }: Wish): string {
    const path = `/wait/${encodeURIComponent(template.name)}`;
    if (visitor.hasCookie) return withOpen(path, open);
    const query = { visitor: visitor.token, since: String(sinceMs), ...(open === undefined ? {} : { open }) };
    return `${path}?${new URLSearchParams(query).toString()}`;
  }
}

/** Of the same click. */
function tryUrl(request: FastifyRequest, { name }: Template): string {
  return withOpen(`/try/${encodeURIComponent(name)}`, field(request.query, 'open'));
}

function mayTake(request: FastifyRequest): boolean {
  const site = request.headers['sec-fetch-site'];
  return (
    request.method === 'GET' &&
    !isPrefetch(request) &&
    (site === undefined || site === 'same-origin' || site === 'none')
  );
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
