import type { FastifyInstance } from 'fastify';
import type { Log } from '../domain/log.ts';

/** Called once per route when it is added, so that the metric's labels are bound before the first request. */
export interface HttpObserver {
  route(method: string, route: string): (status: number, durationMs: number) => void;
}

/** Counted under one name, or anybody could make us a time series per path they invent. */
export const NO_ROUTE = 'none';

/** Times every route but those marked untimed, and logs the slow ones. Call before any route is added. */
export function observeRoutes(
  app: FastifyInstance,
  options: { readonly observer: HttpObserver | undefined; readonly log: Log; readonly slowMs: number },
): void {
  const { observer, log, slowMs } = options;
  app.addHook('onRoute', (route) => {
    if (route.config?.untimed === true) return;
    const method = typeof route.method === 'string' ? route.method : route.method.join('|');
    const observe = observer?.route(method, route.url);
    const timed = (
      request: { readonly id: string },
      reply: { readonly statusCode: number; readonly elapsedTime: number },
      done: () => void,
    ) => {
      const durationMs = reply.elapsedTime;
      observe?.(reply.statusCode, durationMs);
      if (durationMs > slowMs)
        log.warn(
          {
            requestId: request.id,
            method,
            route: route.url,
            status: reply.statusCode,
            durationMs: Math.round(durationMs),
          },
          'Slow request',
        );
      done();
    };
    route.onResponse = [timed, ...(route.onResponse === undefined ? [] : [route.onResponse].flat())];
  });
}
