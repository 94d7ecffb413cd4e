import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { keyCheck } from './api-keys.ts';
import { addressKey } from './client-address.ts';
import type { App, RouteContext } from './context.ts';
import { embeddingSites } from './embedding-site.ts';
import { CountdownTokens } from './countdown-tokens.ts';
import { Countdowns, type CountdownOptions } from './countdowns.ts';
import { createListener, type HttpServer, type Listener, type ServerLimits } from './listener.ts';
import type { HttpObserver } from './observation.ts';
import { Origins } from './origins.ts';
import { OPENAPI_OPTIONS } from './openapi.ts';
import type { Demos } from './demos.ts';
import type { Pages } from './pages.ts';
import { poolStatsRoute, templatesRoute } from './routes/catalogue.ts';
import { countdownRoute } from './routes/countdown.ts';
import { demoRoutes } from './routes/demo.ts';
import { exportRoute } from './routes/export.ts';
import { placeRoutes, waitRoute } from './routes/waiting.ts';
import { operationsRoutes, type MetricsSource } from './routes/operations.ts';
import { ProblemBody } from './schemas/problem.ts';
import type { RouteTracing } from './trace-routes.ts';
import { WaitingStreams } from './waiting-streams.ts';

export type { HttpServer };

/** Seconds for which a browser need not ask again whether a site may call us. */
const PREFLIGHT_LASTS_S = 600;

export interface ServerOptions {
  readonly demos: Demos;
  readonly log: Log;
  /** Where people reach this server, without a trailing slash. */
  readonly publicUrl: string;
  /** Empty: the API is open. */
  readonly apiKeys: readonly string[];
  /** Addresses and CIDR blocks whose X-Forwarded-* headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Hosts of the sites that clicks are counted for one by one. */
  readonly funnelSites?: readonly string[];
  readonly metrics: MetricsSource;
  /** Throws why nothing can be handed out; without it nothing is asked. */
  readonly ready?: () => Promise<void>;
  readonly observer?: HttpObserver;
  readonly tracing?: RouteTracing | undefined;
  readonly limits?: Partial<ServerLimits>;
  /** Without them there is the API alone. */
  readonly pages?: Pages;
  readonly countdowns?: Pick<CountdownOptions, 'everyMs' | 'maxStreams' | 'maxPerClient'>;
}

/** The HTTP API, and the pages it is given. Routes are ready; nothing listens yet. */
export async function createServer(options: ServerOptions): Promise<HttpServer> {
  const { log, demos, pages } = options;
  const listener = createListener({
    log,
    name: 'HTTP server',
    variable: 'SERVER_PORT',
    catalogue: '/api/openapi.json',
    typeBase: `${options.publicUrl}/problems/`,
    trustedProxies: options.trustedProxies,
    observer: options.observer,
    tracing: options.tracing,
    limits: options.limits,
    failurePage: (request, reply, error) => pages?.failurePage(request, reply, error),
  });
  const { app } = listener;
  const countdowns = new Countdowns({ demos, log, ...options.countdowns });
  const waiting = new WaitingStreams({ demos, log, ...options.countdowns });
  await addRoutes(app, options, { countdowns, waiting, listener });
  await app.ready();
  const drain = () => {
    listener.drain();
    countdowns.stop();
    waiting.stop();
  };
  return {
    app,
    leave: () => listener.leave(),
    drain,
    listen: (address) => listener.listen(address),
    close: (graceMs) => {
      drain();
      return listener.close(graceMs);
    },
  };
}

async function addRoutes(
  app: App,
  options: ServerOptions,
  {
    countdowns,
    waiting,
    listener,
  }: { readonly countdowns: Countdowns; readonly waiting: WaitingStreams; readonly listener: Listener },
): Promise<void> {
  const { demos, log, publicUrl } = options;
  const check = keyCheck(options.apiKeys);
  const origins = new Origins(publicUrl, () => demos.templates());
  const siteOf = embeddingSites(publicUrl, options.funnelSites ?? [], () => demos.templates());
  const tokens = new CountdownTokens(options.apiKeys);
  const context: RouteContext = {
    demos,
    keyed: check !== undefined,
    clientKeyOf,
    siteOf,
    origins,
    countdownUrl: countdownUrls(demos, publicUrl, tokens),
    refusal: (request) => listener.routes.refusal(request),
  };
  app.addSchema(ProblemBody);
  await app.register(swagger, OPENAPI_OPTIONS);
  operationsRoutes(app, { metrics: options.metrics, ready: options.ready, leaving: listener.leaving });
  await app.register(async (scope) => {
    const api = scope.withTypeProvider<TypeBoxTypeProvider>();
    await allowOtherSites(api, origins);
    templatesRoute(api, context);
    placeRoutes(api, context, waiting);
    countdownRoute(api, context, { countdowns, tokens, checkKey: check });
    await api.register((inner, _options, done) => {
      const keyed = inner.withTypeProvider<TypeBoxTypeProvider>();
      if (check !== undefined) {
        keyed.addHook('onRequest', (request, _reply, next) => {
          check(request.headers['x-api-key']);
          next();
        });
      }
      demoRoutes(keyed, context);
      exportRoute(keyed, context);
      waitRoute(keyed, context);
      poolStatsRoute(keyed, context);
      done();
    });
  });
  await options.pages?.register(app, { demos, log, publicUrl, clientKeyOf, siteOf, origins, waiting });
}

/** A token holds for the longest that the visit may last: an EventSource comes back with the address it has. */
function countdownUrls(demos: Demos, publicUrl: string, tokens: CountdownTokens): RouteContext['countdownUrl'] {
  return ({ id, template, expiresAtMs, ttlMs }) => {
    const longestMs = demos.template(template)?.ttl.maxMs ?? ttlMs;
    const token = tokens.issue(id, expiresAtMs - ttlMs + longestMs);
    return `${publicUrl}/api/v1/demo/${id}/status${token === undefined ? '' : `?token=${token}`}`;
  };
}

/**
 * Scripts of pages that may offer a template read what the API answers; browsers send on nobody else's behalf what
 * changes something, with an API or without.
 */
async function allowOtherSites(app: App, origins: Origins): Promise<void> {
  await app.register(cors, {
    origin: (origin, done) => done(null, origin !== undefined && origins.allows(origin)),
    methods: ['GET', 'POST', 'DELETE'],
    allowedHeaders: ['content-type', 'idempotency-key', 'x-api-key'],
    exposedHeaders: ['content-disposition', 'location', 'retry-after', 'x-request-id'],
    maxAge: PREFLIGHT_LASTS_S,
  });
  app.addHook('onRequest', (request, _reply, next) => {
    if (request.method === 'POST' || request.method === 'DELETE') origins.requireAllowed(request);
    next();
  });
}

/**
 * A proxy that forwards something else than an address is counted itself; better one bucket too full than none. Throws
 * client_gone: who has hung up has no address any more, and nothing is to be taken for them.
 */
function clientKeyOf(request: FastifyRequest): string {
  if (request.socket.destroyed)
    throw new TryItNowError('client_gone', 'The connection was closed before the request could be answered');
  return addressKey(request.ip) ?? addressKey(request.socket.remoteAddress ?? '') ?? 'unknown';
}
