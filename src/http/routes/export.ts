import type { App, RouteContext } from '../context.ts';
import { sendDownload } from '../download.ts';
import { KEYED } from '../openapi.ts';
import { InstanceParams } from '../schemas/demo.ts';
import { problems } from '../schemas/problem.ts';

/** What an instance's template lets be taken home. */
export function exportRoute(
  app: App,
  { demos, keyed, clientKeyOf }: Pick<RouteContext, 'demos' | 'keyed' | 'clientKeyOf'>,
): void {
  app.get(
    '/api/v1/demo/:id/export',
    {
      // Looking whether it is there would have the app make it.
      exposeHeadRoute: false,
      config: { untimed: true },
      schema: {
        tags: ['demo'],
        security: KEYED,
        operationId: 'exportDemo',
        summary: 'Download what is in an instance',
        description:
          'What the template offers by `export`, in the type and under the name it says. An answer that breaks off ' +
          'is not whole. One at a time for an instance, and four for an address without an API key.',
        params: InstanceParams,
        response: {
          200: {
            description: 'The file.',
            content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
          },
          ...problems(
            'unknown_instance',
            'no_export',
            'not_assigned',
            'other_node',
            'export_busy',
            'export_failed',
            'export_too_large',
            'key_missing',
            'key_wrong',
            'store_unavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      const view = await demos.find(request.params.id);
      // Who has a key reads for visitors of their own.
      return sendDownload(reply, await demos.exportWork(view, keyed ? undefined : clientKeyOf(request)));
    },
  );
}
