import type { PoolStats } from '../../pool/interfaces/inventory.ts';
import type { App, RouteContext } from '../context.ts';
import { listed } from '../demos.ts';
import { KEYED } from '../openapi.ts';
import { PoolStatsBody, TemplatesBody } from '../schemas/pool.ts';
import { problems } from '../schemas/problem.ts';

const NOTHING: PoolStats = { ready: 0, assigned: 0, warming: 0, leaving: 0, waiting: 0, target: 0, capacity: 0 };

/** Open to all: the start page shows the same facts to everybody. */
export function templatesRoute(app: App, { demos }: RouteContext): void {
  app.get(
    '/api/v1/templates',
    {
      schema: {
        tags: ['catalogue'],
        operationId: 'listTemplates',
        summary: 'What can be tried',
        description: 'Needs no API key.',
        response: { 200: TemplatesBody },
      },
    },
    () => ({
      templates: listed(demos).map(({ name, title, description, ttl, endsAtMs, export: offered }, index) => ({
        name,
        title,
        description,
        default: index === 0,
        ...(endsAtMs === undefined ? {} : { ends_at: new Date(endsAtMs).toISOString() }),
        ...(offered === undefined ? {} : { export_file: offered.file }),
        ttl_seconds: Math.round(ttl.defaultMs / 1000),
        max_ttl_seconds: Math.round(ttl.maxMs / 1000),
      })),
    }),
  );
}

export function poolStatsRoute(app: App, { demos }: RouteContext): void {
  app.get(
    '/api/v1/pool/stats',
    {
      schema: {
        tags: ['catalogue'],
        security: KEYED,
        operationId: 'poolStats',
        summary: 'How many instances there are',
        response: { 200: PoolStatsBody, ...problems('key_missing', 'key_wrong', 'store_unavailable') },
      },
    },
    async () => {
      const perTemplate = await demos.stats();
      return { ...[...perTemplate.values()].reduce(sum, NOTHING), templates: Object.fromEntries(perTemplate) };
    },
  );
}

function sum(a: PoolStats, b: PoolStats): PoolStats {
  return {
    ready: a.ready + b.ready,
    assigned: a.assigned + b.assigned,
    warming: a.warming + b.warming,
    leaving: a.leaving + b.leaving,
    waiting: a.waiting + b.waiting,
    target: a.target + b.target,
    capacity: a.capacity + b.capacity,
  };
}
