import Type from 'typebox';
import type { App } from '../context.ts';

/** Where scrapes read the metrics from. */
export interface MetricsSource {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Open to all, so that a load balancer and a scraper need no key. */
export function operationsRoutes(app: App, metrics: MetricsSource): void {
  app.get(
    '/health',
    {
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
    '/metrics',
    {
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

  app.get(
    '/api/openapi.json',
    {
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
