import type { FastifyRequest } from 'fastify';
import type { Template } from '../domain/template.ts';
import { DIRECT_SITE, OTHER_SITE } from '../domain/visit-event.ts';

/**
 * The site that a visitor comes from, as the funnel tells sites apart: one of a few names. `told`: what a page of ours
 * was opened from, which its forms pass on; it counts only where one of our own pages says so.
 */
export type SiteOf = (request: FastifyRequest, told?: string) => string;

/** What a site may be called in an event. */
const NAME = /^[a-z0-9.:-]{1,260}$/;

/**
 * `sites` are hosts; those whose pages may offer a template are told apart as well. Of an address only the host is
 * looked at, and only a listed one is ever kept. `templates` gives the same array until any of them changes.
 */
export function embeddingSites(
  publicUrl: string,
  sites: readonly string[],
  templates: () => readonly Pick<Template, 'allowedOrigins'>[] = () => [],
): SiteOf {
  let offered: ReturnType<typeof templates> | undefined;
  let known: ReadonlySet<string> = new Set();
  const isKnown = (host: string): boolean => {
    const now = templates();
    if (now !== offered) {
      offered = now;
      known = new Set([...sites, ...hostsOf(now)]);
    }
    return known.has(host);
  };
  const own = new URL(publicUrl).host;
  return (request, told) => {
    const from = request.headers.origin ?? request.headers.referer;
    if (from === undefined) return DIRECT_SITE;
    const host = URL.canParse(from) ? new URL(from).host : '';
    if (host === own || host === request.host)
      return told !== undefined && (isKnown(told) || told === OTHER_SITE) ? told : DIRECT_SITE;
    return isKnown(host) ? host : OTHER_SITE;
  };
}

/** Those with a name that an event may carry. */
function hostsOf(templates: readonly Pick<Template, 'allowedOrigins'>[]): readonly string[] {
  return templates
    .flatMap(({ allowedOrigins }) => allowedOrigins.map((origin) => new URL(origin).host))
    .filter((host) => NAME.test(host));
}
