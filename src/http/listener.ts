import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { answerClientError } from './client-error.ts';
import { trustedProxies } from './client-address.ts';
import type { App } from './context.ts';
import { FailureLog } from './failures.ts';
import { acceptJsonBodies } from './json-body.ts';
import { NO_ROUTE, observeRoutes, type HttpObserver } from './observation.ts';
import { expirePiledCookies } from './piled-cookies.ts';
import { sendProblem, toTryItNowError } from './problem.ts';
import { requestIds } from './request-id.ts';
import { RouteTable } from './route-table.ts';
import { buildSerializer } from './serializers.ts';
import { traceRoutes, type RouteTracing } from './trace-routes.ts';

export interface ServerLimits {
  readonly bodyBytes: number;
  /** Request line and headers together. */
  readonly headerBytes: number;
  /** So much of them is read, to answer what is larger than `headerBytes` by what is in it. */
  readonly readHeaderBytes: number;
  readonly urlLength: number;
  /** For the headers to arrive; a client that drips them is cut off then. */
  readonly headersTimeoutMs: number;
  /** For the whole request to arrive. */
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  /** How often the three above are checked. */
  readonly timeoutCheckMs: number;
  /** Requests slower than this get a log line. */
  readonly slowMs: number;
}

const LIMITS: ServerLimits = {
  bodyBytes: 16 * 1024,
  headerBytes: 16 * 1024,
  // Browsers keep 180 cookies of 4 KiB for a domain; and the rest.
  readHeaderBytes: 768 * 1024,
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
  /** From here on `/ready` says that the server stops; all else goes on. */
  leave(): void;
  /** From here on every request but /metrics is answered 503 shutting_down, and countdown streams end. */
  drain(): void;
  /** Drains, accepts nothing new, waits up to `graceMs` for answers under way, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

export interface ListenerOptions {
  readonly log: Log;
  /** What a taken port is told with: who cannot listen, and which variable moves it. */
  readonly name: string;
  readonly variable: string;
  /** Where people can read about a problem's code; the code is appended. */
  readonly typeBase: string;
  /** Where people find what this listener answers. */
  readonly catalogue: string;
  readonly trustedProxies: readonly string[];
  readonly observer: HttpObserver | undefined;
  /** Nothing is traced without it. */
  readonly tracing?: RouteTracing | undefined;
  readonly limits: Partial<ServerLimits> | undefined;
  /** Told of every request that fails, before it is answered. */
  readonly onFailure?: (request: FastifyRequest, error: TryItNowError) => void;
  /** Answers a failure otherwise than with a problem body; undefined: it is answered with one. */
  readonly failurePage?: (
    request: FastifyRequest,
    reply: FastifyReply,
    error: TryItNowError,
  ) => FastifyReply | undefined;
}

export interface Listener extends HttpServer {
  readonly routes: RouteTable;
  /** Whether it is about to stop. */
  readonly leaving: () => boolean;
}

/**
 * What every listener of ours has: limits, request ids, problem bodies, observation. Its routes are still to be added.
 */
export function createListener(options: ListenerOptions): Listener {
  const limits = { ...LIMITS, ...options.limits };
  const { log, typeBase } = options;
  const requestId = requestIds();
  const failures = new FailureLog(log);
  const state = { leaving: false, draining: false };
  const answerFailure = (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = toTryItNowError(thrown, limits.bodyBytes);
    failures.record(error, request);
    options.onFailure?.(request, error);
    return options.failurePage?.(request, reply, error) ?? sendProblem(reply, error, typeBase);
  };

  const app = bareServer(options, limits, requestId, answerFailure);
  const routes = new RouteTable(options.catalogue);
  routes.watch(app);
  observeRoutes(app, { observer: options.observer, log, slowMs: limits.slowMs });
  if (options.tracing !== undefined) traceRoutes(app, options.tracing);
  acceptJsonBodies(app);
  app.setErrorHandler(answerFailure);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('cache-control', 'no-store');
    const refused = refusal(request, limits, state.draining);
    if (refused?.code === 'headers_too_large') {
      const expired = expirePiledCookies(request.url, request.headers);
      if (expired.length > 0) reply.header('set-cookie', expired);
    }
    done(refused);
  });
  // Node writes headers in the encoding of a body that is a string; names of cookies are to be the bytes they came as.
  app.addHook('onSend', (_request, reply, payload, done) => {
    done(null, reply.statusCode === 431 && typeof payload === 'string' ? Buffer.from(payload) : payload);
  });
  const unrouted = options.observer?.route('any', NO_ROUTE);
  app.setNotFoundHandler((request, reply) => {
    const startedAt = performance.now();
    reply.raw.once('finish', () => unrouted?.(reply.statusCode, performance.now() - startedAt));
    throw routes.refusal(request);
  });
  const leave = () => {
    state.leaving = true;
  };
  const drain = () => {
    leave();
    state.draining = true;
  };
  return {
    app,
    routes,
    leaving: () => state.leaving,
    leave,
    drain,
    listen: (address) => listen(app, address, options),
    close: (graceMs) => {
      drain();
      return close(app, graceMs);
    },
  };
}

function bareServer(
  options: ListenerOptions,
  limits: ServerLimits,
  requestId: ReturnType<typeof requestIds>,
  answerFailure: (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply,
): App {
  const { typeBase } = options;
  const trusted = options.trustedProxies.length === 0 ? undefined : trustedProxies(options.trustedProxies);
  const app = fastify({
    // No logger: Fastify would make a child of it for every request. What deserves a line is
    // logged where it is decided.
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    http: {
      maxHeaderSize: limits.readHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
      // Node would answer a missing Host with an empty 400; ours says what is wrong.
      requireHostHeader: false,
    },
    genReqId: requestId,
    return503OnClosing: false,
    routerOptions: { maxParamLength: limits.urlLength },
    schemaController: { compilersFactory: { buildSerializer } },
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
        // The schemas are our own; a test has them looked at in the OpenAPI document, and not each start.
        validateSchema: false,
      },
    },
    ...(trusted === undefined ? {} : { trustProxy: (address: string) => trusted(address) }),
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      answerFailure(error, request, reply);
    },
    clientErrorHandler: (error, socket: Socket) => {
      answerClientError(error, socket, {
        maxHeaderBytes: limits.readHeaderBytes,
        typeBase,
        requestId: requestId({ headers: {} }),
      });
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  // An expectation we do not know is one we need not meet (RFC 9110, 10.1.1); Node would answer 417 without a body.
  app.server.on('checkExpectation', (request, response) => {
    app.routing(request, response);
  });
  return app;
}

function refusal(request: FastifyRequest, limits: ServerLimits, draining: boolean): TryItNowError | undefined {
  const { raw } = request;
  const url = raw.url ?? '';
  if (draining && url !== '/metrics') return shuttingDown();
  if (url.length > limits.urlLength)
    return new TryItNowError(
      'uri_too_long',
      `The address of the request is longer than ${limits.urlLength} characters`,
    );
  if (headBytes(raw) > limits.headerBytes)
    return new TryItNowError(
      'headers_too_large',
      `The headers of the request are larger than ${limits.headerBytes} bytes together`,
    );
  if (raw.headers.host === undefined && raw.httpVersion === '1.1')
    return new TryItNowError('malformed_request', 'The request has no Host header, which HTTP/1.1 asks for');
  return undefined;
}

/** As they were sent, but for blanks around values. */
function headBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  let bytes = `${method} ${url} HTTP/1.1\r\n\r\n`.length;
  // A name, then its value: ": " and the end of the line are four more.
  for (const part of rawHeaders) bytes += part.length + 2;
  return bytes;
}

export function shuttingDown(): TryItNowError {
  return new TryItNowError('shutting_down', 'This server is shutting down and takes no more requests', {
    retryAfterMs: 5_000,
  });
}

async function listen(
  app: App,
  { host, port }: { readonly host: string; readonly port: number },
  { name, variable }: ListenerOptions,
): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES')))
      throw error;
    const why = error.code === 'EADDRINUSE' ? 'another program listens there' : 'this user may not open it';
    throw new TryItNowError(
      'port_taken',
      `The ${name} cannot listen on ${host}:${port}: ${why}; end that program or set ${variable} to another port`,
      { cause: error },
    );
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
