import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { Demos } from '../http/demos.ts';
import { field } from '../http/field.ts';
import { badge, badgeState } from './pages/badge.ts';
import type { PoolFigures } from './pool-figures.ts';
import type { Presentations } from './presentation.ts';
import { templateNamed } from './template-named.ts';

const SUFFIX = '.svg';

/**
 * GET /badge/<template>.svg: an image for readmes. Asking for it is no visit. Image proxies such as GitHub's keep what
 * may be kept, and ask again each time only for `no-cache` with an ETag.
 */
export function badgeRoute(
  app: FastifyInstance,
  {
    demos,
    figures,
    presentations,
  }: { readonly demos: Demos; readonly figures: PoolFigures; readonly presentations: Presentations },
): void {
  app.get<{ Params: { file: string } }>('/badge/:file', async (request, reply) => {
    const { file } = request.params;
    if (!file.endsWith(SUFFIX))
      throw new TryItNowError('unknown_route', 'A badge is at /badge/<template>.svg; there is nothing else');
    const template = templateNamed(demos, file.slice(0, -SUFFIX.length));
    // The address alone decides on the language: who fetches it is an image proxy, and keeps one for all.
    const { t, brand } = presentations.in(field(request.query, 'lang'), template.name);
    const isStatic = field(request.query, 'look') === 'static';
    const state = isStatic ? undefined : badgeState(t, await figures.of(template.name));
    return sendBadge(reply, badge({ t, brand, template, state }), {
      cacheControl: isStatic ? 'public, max-age=86400' : 'no-cache, max-age=0',
      known: request.headers['if-none-match'],
    });
  });
}

function sendBadge(
  reply: FastifyReply,
  svg: string,
  { cacheControl, known }: { readonly cacheControl: string; readonly known: string | undefined },
): FastifyReply {
  const etag = `"${createHash('sha256').update(svg).digest('base64url').slice(0, 22)}"`;
  reply
    .header('cache-control', cacheControl)
    .header('etag', etag)
    // Any page may show it, also one that is isolated from other sites.
    .header('cross-origin-resource-policy', 'cross-origin')
    .header('content-security-policy', "default-src 'none'; sandbox");
  return known?.includes(etag) === true ? reply.code(304).send() : reply.type('image/svg+xml; charset=utf-8').send(svg);
}
