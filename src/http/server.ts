import type { AddressInfo, Socket } from 'node:net';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { loadAssets, type Assets } from '../web/assets.ts';
import { sendFailurePage, wantsPage } from '../web/page-response.ts';
import { startPage, type StartPageOptions } from '../web/start-page.ts';
import { keyCheck } from './api-keys.ts';
import { answerClientError } from './client-error.ts';
import { clientSubject, trustedProxies } from './client-subject.ts';
import type { App, RouteContext } from './context.ts';
import { Countdowns, type CountdownOptions } from './countdowns.ts';
import { FailureLog } from './failures.ts';
import { acceptJsonBodies } from './json-body.ts';
import { NO_ROUTE, observeRoutes, type HttpObserver } from './observation.ts';
import { OPENAPI_OPTIONS } from './openapi.ts';
import type { Demos } from './ports.ts';
import { sendProblem, toTryItNowError } from './problem.ts';
import { requestIds } from './request-id.ts';
import { RouteTable } from './route-table.ts';
import { poolStatsRoute, templatesRoute } from './routes/catalogue.ts';
import { countdownRoute } from './routes/countdown.ts';
import { demoRoutes } from './routes/demo.ts';
import { operationsRoutes, type MetricsSource } from './routes/operations.ts';
import { ProblemBody } from './schemas/problem.ts';

export interface ServerOptions {
  readonly demos: Demos;
  readonly log: Log;
  /** Where people reach this server, without a trailing slash. */
  readonly publicUrl: string;
  /** Empty: the API is open. */
  readonly apiKeys: readonly string[];
  /** Addresses and CIDR blocks whose X-Forwarded-* headers are believed. */
  readonly trustedProxies: readonly string[];
  readonly metrics: MetricsSource;
  readonly observer?: HttpObserver;
  readonly limits?: Partial<ServerLimits>;
  readonly page?: Pick<StartPageOptions, 'clock' | 'waitLimitMs'>;
  readonly countdowns?: Pick<CountdownOptions, 'everyMs' | 'maxStreams' | 'maxPerSubject'>;
}

interface ServerLimits {
  readonly bodyBytes: number;
  /** Request line and headers together. */
  readonly headerBytes: number;
  readonly urlLength: number;
  /** For the headers to arrive; a client that drips them is cut off then. */
  readonly headersTimeoutMs: number;
  /** For the whole request to arrive. */
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  /** How often the three above are looked at. */
  readonly timeoutCheckMs: number;
  /** Requests slower than this get a log line. */
  readonly slowMs: number;
}

const LIMITS: ServerLimits = {
  bodyBytes: 16 * 1024,
  headerBytes: 16 * 1024,
  urlLength: 2_048,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  // Longer than the 60 s for which common load balancers keep a connection, so that they close it and not we.
  keepAliveMs: 65_000,
  timeoutCheckMs: 2_000,
  slowMs: 1_000,
};

export interface HttpServer {
  /** For tests and the OpenAPI generator; everybody else uses the methods. */
  readonly app: App;
  /** Resolves with the port once connections are accepted. Throws port_taken. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** From here on every request but /metrics is answered 503 shutting_down, and countdown streams end. */
  drain(): void;
  /** Drains, accepts nothing new, waits up to `graceMs` for answers under way, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** The HTTP API and the start page. Routes are ready; nothing listens yet. */
export async function createServer(options: ServerOptions): Promise<HttpServer> {
  const limits = { ...LIMITS, ...options.limits };
  const { log, demos } = options;
  const typeBase = `${options.publicUrl}/problems/`;
  const requestId = requestIds();
  const failures = new FailureLog(log);
  const assets = await loadAssets();
  const state = { draining: false };
  const answerFailure = (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = toTryItNowError(thrown, limits.bodyBytes);
    failures.record(error, request);
    return wantsPage(request) ? sendFailurePage(reply, error, assets.urls) : sendProblem(reply, error, typeBase);
  };

  const app = bareServer(options, limits, requestId, answerFailure, typeBase);
  const routes = new RouteTable();
  routes.watch(app);
  observeRoutes(app, { observer: options.observer, log, slowMs: limits.slowMs });
  acceptJsonBodies(app);
  app.setErrorHandler(answerFailure);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('cache-control', 'no-store');
    done(refusal(request, limits, state.draining));
  });
  const unrouted = options.observer?.route('any', NO_ROUTE);
  app.setNotFoundHandler((request, reply) => {
    const startedAt = performance.now();
    reply.raw.once('finish', () => unrouted?.(reply.statusCode, performance.now() - startedAt));
    throw routes.refusal(request);
  });

  const countdowns = new Countdowns({ demos, log, ...options.countdowns });
  await addRoutes(app, options, { countdowns, assets, routes });
  await app.ready();
  const drain = () => {
    state.draining = true;
    countdowns.stop();
  };
  return { app, drain, listen: (address) => listen(app, address), close: (graceMs) => { drain(); return close(app, graceMs); } };
}

function bareServer(options: ServerOptions, limits: ServerLimits, requestId: ReturnType<typeof requestIds>, answerFailure: (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply, typeBase: string): App {
  const trusted = options.trustedProxies.length === 0 ? undefined : trustedProxies(options.trustedProxies);
  const app = fastify({
    // No logger: Fastify would make a child of it for every request. What deserves a line is logged where it is decided.
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
      // Node would answer a missing Host with an empty 400; ours says what is wrong.
      requireHostHeader: false,
    },
    genReqId: requestId,
    return503OnClosing: false,
    routerOptions: { maxParamLength: limits.urlLength },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false } },
    ...(trusted === undefined ? {} : { trustProxy: (address: string) => trusted(address) }),
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      answerFailure(error, request, reply);
    },
    clientErrorHandler: (error, socket: Socket) => {
      answerClientError(error, socket, { maxHeaderBytes: limits.headerBytes, typeBase, requestId: requestId({ headers: {} }) });
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  // An expectation we do not know is one we need not meet (RFC 9110, 10.1.1); Node would answer 417 without a body.
  app.server.on('checkExpectation', (request, response) => { app.routing(request, response); });
  return app;
}

function refusal(request: FastifyRequest, limits: ServerLimits, draining: boolean): TryItNowError | undefined {
  const { raw } = request;
  const url = raw.url ?? '';
  if (draining && url !== '/metrics') return new TryItNowError('shutting_down', 'This server is shutting down and takes no more requests', { retryAfterMs: 5_000 });
  if (url.length > limits.urlLength) return new TryItNowError('uri_too_long', `The address of the request is longer than ${limits.urlLength} characters`);
  if (raw.headers.host === undefined && raw.httpVersion === '1.1') return new TryItNowError('malformed_request', 'The request has no Host header, which HTTP/1.1 asks for');
  return undefined;
}

async function addRoutes(app: App, options: ServerOptions, { countdowns, assets, routes }: { readonly countdowns: Countdowns; readonly assets: Assets; readonly routes: RouteTable }): Promise<void> {
  const { demos, log } = options;
  const check = keyCheck(options.apiKeys);
  const context: RouteContext = { demos, subjectOf, refusal: (request) => routes.refusal(request) };
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
  await app.register(startPage, { demos, log, publicUrl: options.publicUrl, assets, subjectOf, ...options.page });
}

/** A proxy that forwards something else than an address is counted itself; better one bucket too full than none. */
function subjectOf(request: FastifyRequest): string {
  return clientSubject(request.ip) ?? clientSubject(request.socket.remoteAddress ?? '') ?? 'unknown';
}

async function listen(app: App, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES'))) throw error;
    const why = error.code === 'EADDRINUSE' ? 'another program listens there' : 'this user may not open it';
    throw new TryItNowError('port_taken', `The HTTP server cannot listen on ${host}:${port}: ${why}; end that program or set SERVER_PORT to another port`, { cause: error });
  }
  return (app.server.address() as AddressInfo).port;
}

async function close(app: App, graceMs: number): Promise<void> {
  // A connection becomes idle when its last answer is out; Node looks only once, when the closing begins.
  const reap = setInterval(() => app.server.closeIdleConnections(), 50);
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearInterval(reap);
    clearTimeout(cut);
  }
}
