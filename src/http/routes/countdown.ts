import { TryItNowError } from '../../domain/errors.ts';
import type { KeyCheck } from '../api-keys.ts';
import type { App, RouteContext } from '../context.ts';
import type { CountdownTokens } from '../countdown-tokens.ts';
import { crossSite } from '../cross-site.ts';
import type { Countdowns } from '../countdowns.ts';
import { KEYED } from '../openapi.ts';
import { CountdownQuery, InstanceParams } from '../schemas/demo.ts';
import { problems } from '../schemas/problem.ts';

const schema = {
  tags: ['demo'],
  security: KEYED,
  operationId: 'watchDemo',
  summary: 'Watch the time an instance has left',
  description:
    'Server-Sent Events: `countdown` each second with `state`, `remaining_seconds` and `expires_at`; at the end one ' +
    '`ended`, and the stream closes. Close it on your side then, or an EventSource asks again. An EventSource sends ' +
    'no key: it opens `countdown_url` of the acquire.',
  params: InstanceParams,
  querystring: CountdownQuery,
  response: {
    200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    ...problems(
      'invalid_request',
      'unknown_instance',
      'too_many_streams',
      'key_missing',
      'key_wrong',
      'token_wrong',
      'store_unavailable',
    ),
  },
};

/** The time an instance has left, as Server-Sent Events. Who has no key shows a token in its place. */
export function countdownRoute(
  app: App,
  { demos, clientKeyOf }: RouteContext,
  {
    countdowns,
    tokens,
    checkKey,
  }: { readonly countdowns: Countdowns; readonly tokens: CountdownTokens; readonly checkKey: KeyCheck | undefined },
): void {
  app.get(
    '/api/v1/demo/:id/status',
    {
      onRequest: (request, _reply, done) => {
        if (request.query.token === undefined) checkKey?.(request.headers['x-api-key']);
        done();
      },
      config: { untimed: true },
      schema,
    },
    async (request, reply) => {
      const { id } = request.params;
      const { token } = request.query;
      const holdsUntilMs = token === undefined || checkKey === undefined ? Infinity : tokens.check(token, id);
      const clientKey = clientKeyOf(request);
      countdowns.admit(clientKey);
      const view = await demos.find(id);
      if (view.nowMs > holdsUntilMs) throw new TryItNowError('token_wrong', 'The token in the address has run out');
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
