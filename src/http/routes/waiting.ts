import { createHash, randomBytes } from 'node:crypto';
import { TryItNowError } from '../../domain/errors.ts';
import { ownersKey } from '../../domain/ids.ts';
import type { App, RouteContext } from '../context.ts';
import { crossSite } from '../cross-site.ts';
import type { Demos, Place } from '../demos.ts';
import { KEYED } from '../openapi.ts';
import { AcquiredBody } from '../schemas/demo.ts';
import { problems } from '../schemas/problem.ts';
import { PlaceParams, WaitBody, WaitingBody } from '../schemas/waiting.ts';
import type { WaitingStreams } from '../waiting-streams.ts';
import { acquiredBody } from './demo.ts';

const tags = ['waiting'];
const KEY = 'place';
const ASK_AGAIN_SECONDS = 2;

/** Whose place it is: what a token stands for, without the secret in it. */
function ownerOf(token: string): { readonly template: string; readonly owner: string; readonly id: string } {
  const template = token.slice(0, token.lastIndexOf('.'));
  const owner = `waiter:${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`;
  return { template, owner, id: ownersKey(owner, KEY) };
}

const REFUSALS = problems(
  'invalid_request',
  'malformed_request',
  'unknown_template',
  'template_ended',
  'landing_not_allowed',
  'foreign_origin',
  'banned',
  'challenge_required',
  'harm_limit',
  'hourly_limit',
  'daily_limit',
  'held_limit',
  'key_missing',
  'key_wrong',
  'pool_empty',
  'pool_paused',
  'store_unavailable',
  'shutting_down',
);

/** Takes an instance, or a place among those who wait for one. Needs the key, as every way to an instance does. */
export function waitRoute(app: App, { demos, keyed, clientKeyOf, siteOf, origins, countdownUrl }: RouteContext): void {
  app.post(
    '/api/v1/waiting',
    {
      schema: {
        tags,
        security: KEYED,
        operationId: 'wait',
        summary: 'Take an instance, or a place in the line for one',
        description:
          '201: an instance, as an acquire answers it. 202: a place; POST again with it, at the latest when its turn ' +
          'has come, and within 20 s while nobody listens to its events. A repeated POST gets the same instance.',
        body: WaitBody,
        response: {
          200: AcquiredBody,
          201: AcquiredBody,
          202: WaitingBody,
          ...REFUSALS,
        },
      },
      preValidation: (request, _reply, done) => {
        const body: unknown = request.body;
        if (body === undefined) request.body = {};
        done();
      },
    },
    async (request, reply) => {
      const { template = demos.templates()[0]?.name ?? '', open, place, altcha } = request.body;
      const token = place ?? `${template}.${randomBytes(16).toString('base64url')}`;
      const { template: wanted, owner, id } = ownerOf(token);
      origins.requireAllowed(request, wanted);
      const answer = await demos.acquireOrWait({
        template: wanted,
        open,
        clientKey: clientKeyOf(request),
        owner,
        idempotencyKey: KEY,
        ...(keyed ? { trusted: true } : {}),
        ...(altcha === undefined ? {} : { solution: altcha }),
        site: siteOf(request),
      });
      if ('url' in answer) {
        reply.code(answer.again ? 200 : 201).header('location', `/api/v1/demo/${answer.id}`);
        return acquiredBody(answer, countdownUrl);
      }
      reply.code(202).header('location', `/api/v1/waiting/${token}`);
      return waitingBody(token, await placeOf(demos, wanted, id));
    },
  );
}

/** A place is its own secret: who knows it may look at it, listen and give it up, without a key. */
export function placeRoutes(app: App, { demos, clientKeyOf }: RouteContext, streams: WaitingStreams): void {
  app.get(
    '/api/v1/waiting/:place',
    {
      schema: {
        tags,
        operationId: 'getPlace',
        summary: 'Look at a place, and keep it',
        description: 'Needs no API key. Takes no instance: when the `state` is `turn`, POST the place.',
        params: PlaceParams,
        response: { 200: WaitingBody, ...problems('unknown_place', 'unknown_template', 'store_unavailable') },
      },
    },
    async (request) => {
      const { template, id } = ownerOf(request.params.place);
      return waitingBody(request.params.place, await placeOf(demos, template, id));
    },
  );
  app.delete(
    '/api/v1/waiting/:place',
    {
      schema: {
        tags,
        operationId: 'leavePlace',
        summary: 'Give a place up',
        description: 'Those behind move up. Needs no API key. Doing it again is fine.',
        params: PlaceParams,
        response: {
          204: { type: 'null', description: 'Nobody has this place any more.' },
          ...problems('unknown_template', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { template, id } = ownerOf(request.params.place);
      await demos.leave(template, id);
      reply.code(204);
      return null;
    },
  );
  eventsRoute(app, { demos, clientKeyOf }, streams);
}

function eventsRoute(
  app: App,
  { demos, clientKeyOf }: Pick<RouteContext, 'demos' | 'clientKeyOf'>,
  streams: WaitingStreams,
): void {
  app.get(
    '/api/v1/waiting/:place/events',
    {
      config: { untimed: true },
      schema: {
        tags,
        operationId: 'watchPlace',
        summary: 'Watch a place, and keep it',
        description:
          'Server-Sent Events, each with the place as JSON: `place` whenever it changed; `turn` when there is an ' +
          'instance for it, and the stream closes: POST the place then. `gone`: nobody has it any more. Needs no key.',
        params: PlaceParams,
        response: {
          200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
          ...problems('unknown_place', 'unknown_template', 'too_many_streams', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const token = request.params.place;
      const { template, id } = ownerOf(token);
      const clientKey = clientKeyOf(request);
      streams.admit(clientKey);
      const first = await placeOf(demos, template, id);
      // Others may have come while we looked.
      streams.admit(clientKey);
      if (request.method === 'HEAD') return reply.type('text/event-stream; charset=utf-8').send('');
      reply.hijack();
      streams.attach(
        { template, place: id, clientKey, tell: (place) => waitingBody(token, place) },
        reply.raw,
        { ...crossSite(reply.getHeaders()), 'x-request-id': request.id, 'x-content-type-options': 'nosniff' },
        first,
      );
      return reply;
    },
  );
}

/** Throws unknown_place. */
async function placeOf(demos: Demos, template: string, id: string): Promise<Place> {
  const place = (await demos.places(template, [id])).get(id);
  if (place === undefined)
    throw new TryItNowError(
      'unknown_place',
      `Nobody waits for "${template}" at this place: it was served, given up, or not asked for within 20 s`,
    );
  return place;
}

function waitingBody(token: string, { position, waitedMs, turn, etaMs, reason }: Place) {
  return {
    state: turn ? ('turn' as const) : ('waiting' as const),
    place: token,
    template: ownerOf(token).template,
    position,
    eta_seconds: etaMs === undefined ? null : Math.ceil(etaMs / 1000),
    reason,
    waited_seconds: Math.floor(waitedMs / 1000),
    ask_again_seconds: ASK_AGAIN_SECONDS,
  };
}
