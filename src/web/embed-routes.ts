import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import { ownersKey } from '../domain/ids.ts';
import type { Template } from '../domain/template.ts';
import { visitToken } from '../domain/visit-token.ts';
import { crossSite } from '../http/cross-site.ts';
import type { Acquired, Demos, Place, Placed } from '../http/demos.ts';
import type { SiteOf } from '../http/embedding-site.ts';
import type { WaitingStreams } from '../http/waiting-streams.ts';
import type { Translator } from '../presentation/languages/translator.ts';
import { field } from '../http/field.ts';
import { retryAfterSeconds } from '../http/problem.ts';
import { componentWords } from './pages/failure.ts';
import { progressText, roughSeconds, waitingFor } from './pages/waiting.ts';
import type { Presentations } from './presentation.ts';
import { templateNamed } from './template-named.ts';
import { embeddedVisitor } from './visitor.ts';
import { isFramed, wayIn } from './way-in.ts';
import { WAIT_LIMIT_MS } from './waiting-room.ts';

type ForTemplate = { Params: { template: string } };

export interface EmbedDeps {
  readonly demos: Demos;
  readonly presentations: Presentations;
  readonly siteOf: SiteOf;
  readonly clientKeyOf: (request: FastifyRequest) => string;
  readonly streams: WaitingStreams;
  /** Of the start page. */
  readonly publicOrigin: string;
}

/** Who stands where, for which template. */
interface Wish {
  readonly template: Template;
  readonly owner: string;
  readonly placeId: string;
}

/**
 * What the web component asks for from a page of another site. Cookies play no part: the component makes up a token for
 * its visitor, which is their place in the line and finds the instance they were given again.
 */
export function embedRoutes(app: FastifyInstance, deps: EmbedDeps): void {
  app.register((scope, _options, done) => {
    const { demos } = deps;
    const config = { embeddable: true } as const;
    // The component shows what went wrong in words for its visitor.
    scope.setErrorHandler((thrown, request) => {
      if (!(thrown instanceof TryItNowError)) throw thrown;
      const { t, assets } = deps.presentations.for(request);
      // What solves a challenge is a module of ours, fetched when it is needed.
      const solver = thrown.code === 'challenge_required' ? `${deps.publicOrigin}${assets['gate.js']}` : undefined;
      throw withWords(thrown, t, solver);
    });
    scope.post<ForTemplate>('/embed/:template', { config }, (request, reply) => enter(deps, request, reply));
    scope.get<ForTemplate>('/embed/:template/events', { config: { ...config, untimed: true } }, (request, reply) =>
      watch(deps, request, reply),
    );
    scope.post<ForTemplate>('/embed/:template/leave', { config }, async (request, reply) => {
      const { template, placeId } = wishOf(demos, request, request.body);
      await demos.leave(template.name, placeId);
      return reply.code(204).send();
    });
    done();
  });
}

/** Throws unknown_template, invalid_request. */
function wishOf(demos: Demos, request: FastifyRequest<ForTemplate>, said: unknown): Wish {
  const template = templateNamed(demos, request.params.template);
  const visitor = embeddedVisitor(field(said, 'visitor'));
  if (visitor === undefined)
    throw new TryItNowError(
      'invalid_request',
      'The visitor is not named: `visitor` has to be 22 letters, digits, hyphens and underscores, drawn at random',
    );
  return { template, owner: visitor.owner, placeId: ownersKey(visitor.owner, keyOf(template)) };
}

function keyOf({ name }: Template): string {
  return `embed:${name}`;
}

async function enter(
  deps: EmbedDeps,
  request: FastifyRequest<ForTemplate>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { demos, clientKeyOf, siteOf } = deps;
  const wish = wishOf(demos, request, request.body);
  const open = field(request.body, 'open');
  const answer = await demos.acquireOrWait({
    template: wish.template.name,
    clientKey: clientKeyOf(request),
    owner: wish.owner,
    idempotencyKey: keyOf(wish.template),
    site: siteOf(request),
    open,
    landing: 'later',
    solution: field(request.body, 'altcha'),
  });
  return 'url' in answer
    ? reply.send(ready(deps, request, wish, { acquired: answer, open }))
    : stillWaiting(deps, request, reply, { wish, placed: answer });
}

function ready(
  { publicOrigin }: EmbedDeps,
  request: FastifyRequest,
  { template, owner }: Wish,
  { acquired, open }: { readonly acquired: Acquired; readonly open: string | undefined },
): object {
  const { id, label, url, bare } = acquired;
  const visit = { id, label, owner, bare };
  const { origin = '' } = request.headers;
  // A frame without an origin of its own says `null`, and who is no browser may say anything.
  const embedder = URL.canParse(origin) ? origin : publicOrigin;
  return {
    state: 'ready',
    // Theirs before they asked.
    again: acquired.again,
    title: template.title,
    url: new URL(wayIn(template, visit, url, { open, publicOrigin }), publicOrigin).href,
    // The app is in a frame of ours, and that in a frame of theirs: it has to work in both.
    framed: !bare && isFramed(template, publicOrigin, url) && isFramed(template, embedder, url),
    visit: `${publicOrigin}/visit/${visitToken(visit)}`,
    seconds_left: Math.max(0, Math.round(acquired.ttlMs / 1000)),
    expires_at: new Date(acquired.expiresAtMs).toISOString(),
  };
}

async function stillWaiting(
  { demos, presentations }: EmbedDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  { wish: { template, placeId }, placed }: { readonly wish: Wish; readonly placed: Placed },
): Promise<FastifyReply> {
  const { t } = presentations.for(request);
  const place = (await demos.places(template.name, [placeId])).get(placeId);
  if (place !== undefined && place.waitedMs > WAIT_LIMIT_MS) {
    await demos.leave(template.name, placeId);
    const minutes = Math.floor(place.waitedMs / 60_000);
    return reply.send({
      state: 'gave_up',
      code: 'gave_up',
      detail: `No instance of "${template.name}" has come in ${minutes} minutes; the place in the line is given up`,
      heading: t.text('waiting.gave_up_heading'),
      text: t.text('waiting.gave_up_text', {
        app: template.title,
        time: t.duration(Math.floor(place.waitedMs / 1000)),
      }),
    });
  }
  const standing =
    place === undefined
      ? { position: placed.position, eta_seconds: null, reason: placed.refill.kind, progress: '' }
      : standingOf(t, place);
  return reply.code(202).send({ state: 'waiting', title: template.title, ...standing });
}

function standingOf(t: Translator, place: Place): object {
  return {
    position: place.position,
    eta_seconds: place.etaMs === undefined ? null : roughSeconds(place.etaMs),
    reason: place.reason,
    progress: progressText(t, waitingFor(place), place),
  };
}

/** How the visitor stands, as Server-Sent Events. Takes nothing. */
async function watch(
  { demos, presentations, clientKeyOf, streams }: EmbedDeps,
  request: FastifyRequest<ForTemplate>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { template, placeId } = wishOf(demos, request, request.query);
  const clientKey = clientKeyOf(request);
  streams.admit(clientKey);
  const first = (await demos.places(template.name, [placeId])).get(placeId);
  if (first === undefined)
    throw new TryItNowError(
      'unknown_place',
      `This visitor does not wait for "${template.name}"; POST /embed/${template.name} takes a place`,
    );
  streams.admit(clientKey);
  const { t } = presentations.for(request);
  if (request.method === 'HEAD') return reply.type('text/event-stream; charset=utf-8').send('');
  reply.hijack();
  streams.attach(
    { template: template.name, place: placeId, clientKey, tell: (place) => standingOf(t, place) },
    reply.raw,
    { ...crossSite(reply.getHeaders()), 'x-request-id': request.id, 'x-content-type-options': 'nosniff' },
    first,
  );
  return reply;
}

function withWords(error: TryItNowError, t: Translator, solver: string | undefined): TryItNowError {
  const { heading, text } = componentWords(t, error.code, retryAfterSeconds(error));
  return new TryItNowError(error.code, error.message, {
    details: { ...error.details, heading, text, ...(solver === undefined ? {} : { solver }) },
    cause: error.cause,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}
