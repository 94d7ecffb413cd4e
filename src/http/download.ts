import type { FastifyReply } from 'fastify';
import type { Download } from './demos.ts';
import { onClosed } from './on-closed.ts';

/**
 * Sends what an app wrote, which nobody here trusts: browsers save it, and where somebody has them open it all the same
 * it is no page of ours and no script in it runs.
 */
export function sendDownload(reply: FastifyReply, { file, mediaType, body }: Download): FastifyReply {
  onClosed(reply.raw, () => body.destroy());
  return reply
    .type(mediaType)
    .header('content-disposition', `attachment; filename="${file}"`)
    .header('content-security-policy', "sandbox; default-src 'none'; frame-ancestors 'none'")
    .header('cross-origin-resource-policy', 'same-origin')
    .header('referrer-policy', 'no-referrer')
    .send(body);
}
