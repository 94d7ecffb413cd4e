import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { keyCheck } from './api-keys.ts';
import { addressKey } from './client-address.ts';
import type { App, RouteContext } from './context.ts';
import { embeddingSites } from './embedding-site.ts';
import { Countdowns, type CountdownOptions } from './countdowns.ts';
import { createListener, type HttpServer, type ServerLimits } from './listener.ts';
import type { HttpObserver } from './observation.ts';
import { OPENAPI_OPTIONS } from './openapi.ts';
import type { Demos } from './demos.ts';
import type { Pages } from './pages.ts';
import type { RouteTable } from './route-table.ts';
import { poolStatsRoute, templatesRoute } from './routes/catalogue.ts';
import { countdownRoute } from './routes/countdown.ts';
import { demoRoutes } from './routes/demo.ts';
import { operationsRoutes, type MetricsSource } from './routes/operations.ts';
import { ProblemBody } from './schemas/problem.ts';

export type { HttpServer };

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
  readonly observer?: HttpObserver;
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
    limits: options.limits,
    failurePage: (request, reply, error) => pages?.failurePage(request, reply, error),
  });
  const { app, routes } = listener;
  const countdowns = new Countdowns({ demos, log, ...options.countdowns });
  await addRoutes(app, options, { countdowns, routes });
  await app.ready();
  const drain = () => {
    listener.drain();
    countdowns.stop();
  };
  return {
    app,
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
  { countdowns, routes }: { readonly countdowns: Countdowns; readonly routes: RouteTable },
): Promise<void> {
  const { demos, log, publicUrl } = options;
  const check = keyCheck(options.apiKeys);
  const siteOf = embeddingSites(publicUrl, options.funnelSites ?? []);
  const context: RouteContext = { demos, clientKeyOf, siteOf, refusal: (request) => routes.refusal(request) };
  app.addSchema(ProblemBody);
  await app.register(swagger, OPENAPI_OPTIONS);
  operationsRoutes(app, options.metrics);
  templatesRoute(app, context);
  await app.register((scope, _options, done) => {
    const keyed = scope.withTypeProvider<TypeBoxTypeProvider>();
    if (check !== undefined) {
      keyed.addHook('onRequest', (request, _reply, next) => {
        check(request.headers['x-api-key']);
        next();
      });
    }
    demoRoutes(keyed, context);
    countdownRoute(keyed, context, countdowns);
    poolStatsRoute(keyed, context);
    done();
  });
  await options.pages?.register(app, { demos, log, publicUrl, clientKeyOf });
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
