import Type from 'typebox';
import type { NamedPoolEvent } from '../../domain/pool-event.ts';
import type { App } from '../context.ts';
import type { PoolOperators } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { NoQuery, TemplateParams } from './schemas.ts';
import { isoTime, requestedMs } from './times.ts';

const tags = ['pools'];
const Time = (description: string) => Type.String({ format: 'date-time', description });
const target = Type.Integer({ minimum: 0, maximum: 10_000, description: 'How many stand ready all that time.' });

const EventParams = Type.Object({
  template: Type.String({ description: 'Its name in the catalogue.' }),
  event: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}$', description: 'What operators call it.' }),
});
const NewEventBody = Type.Object(
  { from: Time('From when they are ready; they are begun before.'), to: Time('Until when.'), target },
  { additionalProperties: false },
);
export const PoolEventBody = Type.Object({
  name: Type.String(),
  from: Time('From when they are ready.'),
  to: Time('Until when.'),
  target,
});
export const PoolEventsBody = Type.Object(
  { events: Type.Array(PoolEventBody) },
  { description: 'Those that are not over, the next to begin first.' },
);

/** Times for which operators want so many ready of a pool that sizes itself. */
export function poolEventRoutes(app: App, operators: PoolOperators): void {
  app.get(
    '/admin/v1/pools/:template/events',
    {
      schema: {
        tags,
        operationId: 'listPoolEvents',
        summary: 'What is known beforehand of a pool',
        params: TemplateParams,
        querystring: NoQuery,
        response: { 200: PoolEventsBody, ...operatorProblems('unknown_template') },
      },
    },
    async (request) => ({ events: (await operators.poolEvents(request.params.template)).map(eventBody) }),
  );
  app.put(
    '/admin/v1/pools/:template/events/:event',
    {
      config: { audit: 'pool.event.add' },
      schema: {
        tags,
        operationId: 'putPoolEvent',
        summary: 'Have more ready for some time',
        description: 'In place of an earlier event of the same name. For pools with `autosize`.',
        params: EventParams,
        body: NewEventBody,
        response: { 200: PoolEventBody, ...operatorProblems('unknown_template') },
      },
    },
    async ({ params: { template, event }, body: { from, to, target: wanted } }) => {
      const [fromMs, toMs] = [requestedMs('from', from), requestedMs('to', to)];
      return eventBody(await operators.putPoolEvent(template, { name: event, target: wanted, fromMs, toMs }));
    },
  );
  app.delete(
    '/admin/v1/pools/:template/events/:event',
    {
      config: { audit: 'pool.event.remove' },
      schema: {
        tags,
        operationId: 'removePoolEvent',
        summary: 'Forget an event',
        params: EventParams,
        response: {
          204: { type: 'null', description: 'It is forgotten.' },
          ...operatorProblems('unknown_template', 'unknown_event'),
        },
      },
    },
    async (request, reply) => {
      await operators.removePoolEvent(request.params.template, request.params.event);
      reply.code(204);
      return null;
    },
  );
}

function eventBody({ name, fromMs, toMs, target: wanted }: NamedPoolEvent) {
  return { name, from: isoTime(fromMs), to: isoTime(toMs), target: wanted };
}
