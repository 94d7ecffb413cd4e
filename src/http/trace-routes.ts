import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { OpenSpan, Tracer } from '../domain/tracer.ts';
import { trustedProxies } from './client-address.ts';
import { onClosed } from './on-closed.ts';

export interface RouteTracing {
  readonly tracer: Tracer;
  /** Addresses and CIDR blocks of the callers whose `traceparent` is believed. */
  readonly parents: readonly string[];
}

/**
 * Begins a span for each request that chance, or a caller who is believed, has traced: of every route but those that
 * are untimed or untraced. Nobody else's `traceparent` counts, or strangers could have all of theirs traced, and as
 * part of whatever they like. Call before any route is added.
 */
export function traceRoutes(app: FastifyInstance, { tracer, parents }: RouteTracing): void {
  const isBelieved = trustedProxies(parents);
  const spans = new WeakMap<FastifyRequest, OpenSpan>();
  app.addHook('onRoute', (route) => {
    if (route.config?.untimed === true || route.config?.untraced === true) return;
    const method = typeof route.method === 'string' ? route.method : route.method.join('|');
    const name = `${method} ${route.url}`;
    const attributes = { 'http.request.method': method, 'http.route': route.url };
    const begin = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
      const given = request.headers['traceparent'];
      const believed = typeof given === 'string' && isBelieved(request.socket.remoteAddress ?? '');
      const span = tracer.begin({ name, kind: 'server', parent: believed ? given : undefined, attributes });
      if (span === undefined) {
        done();
        return;
      }
      spans.set(request, span);
      onClosed(reply.raw, () => endSpan(span, reply));
      span.run(done);
    };
    // What reads a body goes on as the connection has it.
    const goOn = (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
      const span = spans.get(request);
      if (span === undefined) done();
      else span.run(done);
    };
    route.onRequest = [begin, ...hooks(route.onRequest)];
    route.preValidation = [goOn, ...hooks(route.preValidation)];
  });
}

function hooks<T>(given: T | T[] | undefined): T[] {
  return given === undefined ? [] : ([given].flat() as T[]);
}

function endSpan(span: OpenSpan, { statusCode, raw }: FastifyReply): void {
  span.set({ 'http.response.status_code': statusCode });
  if (!raw.writableFinished) span.set({ 'try_it_now.client_gone': true });
  span.end(statusCode >= 500 ? String(statusCode) : undefined);
}
