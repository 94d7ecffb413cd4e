import type { App, RouteContext } from '../context.ts';
import { crossSite } from '../cross-site.ts';
import type { Countdowns } from '../countdowns.ts';
import { KEYED } from '../openapi.ts';
import { InstanceParams } from '../schemas/demo.ts';
import { problems } from '../schemas/problem.ts';

/** The time an instance has left, as Server-Sent Events. */
export function countdownRoute(app: App, { demos, clientKeyOf }: RouteContext, countdowns: Countdowns): void {
  app.get(
    '/api/v1/demo/:id/status',
    {
      config: { untimed: true },
      schema: {
        tags: ['demo'],
        security: KEYED,
        operationId: 'watchDemo',
        summary: 'Watch the time an instance has left',
        description:
          'Server-Sent Events: `countdown` each second with `state`, `remaining_seconds` and `expires_at`; at the ' +
          'end one `ended`, and the stream closes. Close it on your side then, or an EventSource asks again.',
        params: InstanceParams,
        response: {
          200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
          ...problems('unknown_instance', 'too_many_streams', 'key_missing', 'key_wrong', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const clientKey = clientKeyOf(request);
      countdowns.admit(clientKey);
      const view = await demos.find(id);
      // Others may have come while we looked.
      countdowns.admit(clientKey);
      if (request.method === 'HEAD') return reply.type('text/event-stream; charset=utf-8').send('');
      reply.hijack();
      countdowns.attach(
        id,
        clientKey,
        reply.raw,
        { ...crossSite(reply.getHeaders()), 'x-request-id': request.id, 'x-content-type-options': 'nosniff' },
        view,
      );
      return reply;
    },
  );
}
