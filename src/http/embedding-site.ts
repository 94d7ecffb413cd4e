import type { FastifyRequest } from 'fastify';
import { DIRECT_SITE, OTHER_SITE } from '../domain/visit-event.ts';

/** The site whose page a request comes from, as the funnel tells sites apart: one of a few names. */
export type SiteOf = (request: FastifyRequest) => string;

/** `sites` are hosts. Of an address only the host is looked at, and only a listed one is ever kept. */
export function embeddingSites(publicUrl: string, sites: readonly string[]): SiteOf {
  const known = new Set(sites);
  const own = new URL(publicUrl).host;
  return (request) => {
    const from = request.headers.origin ?? request.headers.referer;
    if (from === undefined) return DIRECT_SITE;
    const host = URL.canParse(from) ? new URL(from).host : '';
    if (host === own || host === request.host) return DIRECT_SITE;
    return known.has(host) ? host : OTHER_SITE;
  };
}
