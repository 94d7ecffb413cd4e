import type { FastifyRequest } from 'fastify';
import { TryItNowError } from '../../domain/errors.ts';
import type { InstanceView } from '../../pool/interfaces/claim-store.ts';
import type { App, RouteContext } from '../context.ts';
import type { Acquired, Demos } from '../demos.ts';
import { KEYED } from '../openapi.ts';
import {
  AcquireBody,
  AcquireHeaders,
  AcquiredBody,
  ExtendBody,
  ExtendedBody,
  InstanceBody,
  InstanceParams,
} from '../schemas/demo.ts';
import { problems } from '../schemas/problem.ts';
import { secondsLeft, unusedEnd } from '../time-left.ts';

const common = { tags: ['demo'], security: KEYED };

/** Take, look at, extend and give back an instance. */
export function demoRoutes(app: App, context: RouteContext): void {
  const { demos, refusal } = context;
  acquireRoute(app, context);
  acquireIsPostOnly(app, refusal);

  app.get(
    '/api/v1/demo/:id',
    {
      schema: {
        ...common,
        operationId: 'getDemo',
        summary: 'Look at an instance',
        params: InstanceParams,
        response: {
          200: InstanceBody,
          ...problems('unknown_instance', 'key_missing', 'key_wrong', 'foreign_origin', 'store_unavailable'),
        },
      },
    },
    async (request) => instanceBody(await demos.find(request.params.id), demos),
  );

  app.delete(
    '/api/v1/demo/:id',
    {
      schema: {
        ...common,
        operationId: 'releaseDemo',
        summary: 'Give an instance back',
        description:
          'Its address stops working at once; the container follows in the background. Doing it again, or for an ' +
          'id that has long ended, is fine.',
        params: InstanceParams,
        response: {
          204: { type: 'null', description: 'There is no such running instance any more.' },
          ...problems('unknown_instance', 'key_missing', 'key_wrong', 'foreign_origin', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      await releaseIfKnown(demos, request.params.id);
      reply.code(204);
      return null;
    },
  );

  extendRoute(app, context);
  useRoute(app, demos);
}

function extendRoute(app: App, { demos, keyed }: RouteContext): void {
  app.post(
    '/api/v1/demo/:id/extend',
    {
      schema: {
        ...common,
        operationId: 'extendDemo',
        summary: 'Keep an instance longer',
        params: InstanceParams,
        body: ExtendBody,
        response: {
          200: ExtendedBody,
          ...problems(
            'invalid_request',
            'malformed_request',
            'unknown_instance',
            'not_assigned',
            'extension_limit',
            'others_wait',
            'banned',
            'conflicting_change',
            'key_missing',
            'key_wrong',
            'foreign_origin',
            'store_unavailable',
          ),
        },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { expiresAtMs, ttlMs } = await demos.extend(id, request.body.minutes, keyed);
      return { id, expires_at: new Date(expiresAtMs).toISOString(), ttl_seconds: wholeSeconds(ttlMs) };
    },
  );
}

function useRoute(app: App, demos: Demos): void {
  app.post(
    '/api/v1/demo/:id/use',
    {
      schema: {
        ...common,
        operationId: 'useDemo',
        summary: 'Say that an instance is still wanted',
        description:
          'For what the proxy does not see. Requests to the instance and open WebSockets count as use by themselves; ' +
          'a template with `idle` ends what is not used, one with `renew: on_use` keeps what is.',
        params: InstanceParams,
        response: {
          204: { type: 'null', description: 'Noted.' },
          ...problems(
            'unknown_instance',
            'not_assigned',
            'key_missing',
            'key_wrong',
            'foreign_origin',
            'store_unavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      await demos.recordUse(request.params.id);
      reply.code(204);
      return null;
    },
  );
}

/** `acquire` is no id: without this a GET there would be told that no such instance exists. */
function acquireIsPostOnly(app: App, refusal: RouteContext['refusal']): void {
  app.route({
    method: ['GET', 'DELETE'],
    url: '/api/v1/demo/acquire',
    config: { refused: true },
    handler: (request) => {
      throw refusal(request);
    },
  });
}

const REFUSALS = problems(
  'invalid_request',
  'malformed_request',
  'unknown_template',
  'template_ended',
  'landing_not_allowed',
  'idempotency_mismatch',
  'banned',
  'challenge_required',
  'harm_limit',
  'hourly_limit',
  'daily_limit',
  'held_limit',
  'key_missing',
  'key_wrong',
  'foreign_origin',
  'body_too_large',
  'unsupported_media_type',
  'pool_empty',
  'pool_paused',
  'store_unavailable',
  'shutting_down',
);

/** The hot path: one call to the pool, one compiled serialisation, nothing logged. */
function acquireRoute(app: App, { demos, keyed, clientKeyOf, siteOf, origins, countdownUrl }: RouteContext): void {
  app.post(
    '/api/v1/demo/acquire',
    {
      schema: {
        ...common,
        operationId: 'acquireDemo',
        summary: 'Take a running instance',
        description: '201 for a fresh one; 200 when the Idempotency-Key found the one taken before.',
        body: AcquireBody,
        headers: AcquireHeaders,
        response: {
          200: AcquiredBody,
          201: AcquiredBody,
          ...REFUSALS,
        },
      },
      preValidation: (request, _reply, done) => {
        // Validation comes after this; until then no body is undefined.
        const body: unknown = request.body;
        if (body === undefined) request.body = {};
        done();
      },
    },
    async (request, reply) => {
      origins.requireAllowed(request, request.body.template ?? demos.templates()[0]?.name);
      const clientKey = clientKeyOf(request);
      const acquired = await demos.acquire({
        template: request.body.template,
        open: request.body.open,
        clientKey,
        owner: `api:${clientKey}`,
        idempotencyKey: idempotencyKey(request),
        ...(keyed ? { trusted: true } : { solution: request.body.altcha }),
        site: siteOf(request),
      });
      reply.code(acquired.again ? 200 : 201).header('location', `/api/v1/demo/${acquired.id}`);
      return acquiredBody(acquired, countdownUrl);
    },
  );
}

function idempotencyKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  return typeof key === 'string' ? key : undefined;
}

export function acquiredBody(acquired: Acquired, countdownUrl: RouteContext['countdownUrl']) {
  const { id, url, template, expiresAtMs, ttlMs } = acquired;
  return {
    id,
    url,
    template,
    expires_at: new Date(expiresAtMs).toISOString(),
    ttl_seconds: wholeSeconds(ttlMs),
    countdown_url: countdownUrl(acquired),
  };
}

function instanceBody(view: InstanceView, demos: Demos) {
  const { id, template, state, label, deadlineMs } = view.instance;
  const ttl_seconds = secondsLeft(view);
  if (state !== 'assigned' || deadlineMs === null) return { id, state: 'releasing' as const, template, ttl_seconds };
  return {
    id,
    state,
    url: demos.url(label, template),
    template,
    expires_at: new Date(deadlineMs).toISOString(),
    ttl_seconds,
    ...unusedEnd(demos, view),
  };
}

/** Whether the record of an ended instance still stands is chance; a second DELETE must not depend on it. */
async function releaseIfKnown(demos: Demos, id: string): Promise<void> {
  try {
    await demos.release(id);
  } catch (error) {
    if (!(error instanceof TryItNowError && error.code === 'unknown_instance')) throw error;
  }
}

function wholeSeconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}
