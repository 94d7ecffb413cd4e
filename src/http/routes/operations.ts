import Type from 'typebox';
import type { App } from '../context.ts';
import { shuttingDown } from '../listener.ts';
import { problems } from '../schemas/problem.ts';

/** Where scrapes read the metrics from. */
export interface MetricsSource {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface Operations {
  readonly metrics: MetricsSource;
  /** Throws why nothing can be handed out. */
  readonly ready: (() => Promise<void>) | undefined;
  /** Whether the server is about to stop. */
  readonly leaving: () => boolean;
}

/** Open to all, so that a load balancer and a scraper need no key. */
export function operationsRoutes(app: App, operations: Operations): void {
  watchedRoutes(app, operations);

  app.get(
    '/api/openapi.json',
    {
      config: { untraced: true },
      schema: {
        tags: ['operations'],
        operationId: 'openapi',
        summary: 'This document',
        response: {
          200: {
            description: 'OpenAPI 3.1.',
            content: { 'application/json': { schema: { type: 'object', additionalProperties: true } } },
          },
        },
      },
    },
    () => ({ ...app.swagger() }),
  );
}

/** What those ask who watch a process: is it there, does it work, how does it fare. */
export function watchedRoutes(app: App, { metrics, ready, leaving }: Operations): void {
  loadBalancerRoutes(app, ready, leaving);

  app.get(
    '/metrics',
    {
      config: { untraced: true },
      schema: {
        tags: ['operations'],
        operationId: 'metrics',
        summary: 'Prometheus metrics',
        response: {
          200: {
            description: 'The Prometheus text format.',
            content: { 'text/plain': { schema: { type: 'string' } } },
          },
        },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}

/** Whether the process answers, and whether it is to be sent anything. */
function loadBalancerRoutes(app: App, ready: Operations['ready'], leaving: Operations['leaving']): void {
  app.get(
    '/health',
    {
      config: { untraced: true },
      schema: {
        tags: ['operations'],
        operationId: 'health',
        summary: 'Does the server answer?',
        response: { 200: Type.Object({ status: Type.Literal('ok') }, { description: 'It does.' }) },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/ready',
    {
      config: { untraced: true },
      schema: {
        tags: ['operations'],
        operationId: 'ready',
        summary: 'May a load balancer send requests here?',
        description:
          'Not while the store does not answer or may have been replaced, nor once the server is told to stop.',
        response: {
          200: Type.Object({ status: Type.Literal('ready') }, { description: 'It may.' }),
          ...problems('shutting_down', 'store_unavailable'),
        },
      },
    },
    async () => {
      if (leaving()) throw shuttingDown();
      await ready?.();
      return { status: 'ready' as const };
    },
  );
}
