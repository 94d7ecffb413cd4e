import type { Template } from '../domain/template.ts';
import { visitToken, type VisitKey } from '../domain/visit-token.ts';

/** An instance on its way to its visitor. `bare`: no frame would show it. */
export type Handed = VisitKey & { readonly bare: boolean };

/** `/try/<template>` and the like, with the landing path that was asked for. */
export function withOpen(path: string, open: string | undefined): string {
  return open === undefined ? path : `${path}?${new URLSearchParams({ open }).toString()}`;
}

/**
 * Whether a frame of ours would show the app as a tab does. What it keeps in cookies is lost in a frame of another
 * site, unless they can be marked for that one site alone, which takes a secure connection.
 */
export function isFramed({ frame }: Template, publicOrigin: string, url: string): boolean {
  if (frame === 'off') return false;
  const [start, instance] = [new URL(publicOrigin), new URL(url)];
  // Browsers load nothing insecure into a secure page.
  if (start.protocol === 'https:' && instance.protocol !== 'https:') return false;
  if (instance.protocol === 'https:' || instance.hostname.endsWith('.localhost')) return true;
  return start.protocol === instance.protocol && sharedDomain(start.hostname) === sharedDomain(instance.hostname);
}

/** What two names of one site have in common, as far as that can be told without a list of public suffixes. */
function sharedDomain(hostname: string): string {
  return hostname.split('.').slice(-2).join('.');
}

/** The address that a visitor is sent to. `url`: the instance's own, with its landing path. */
export function wayIn(
  template: Template,
  visit: Handed,
  url: string,
  { open, publicOrigin }: { readonly open: string | undefined; readonly publicOrigin: string },
): string {
  if (!visit.bare && isFramed(template, publicOrigin, url)) return withOpen(`/visit/${visitToken(visit)}`, open);
  // What its activation gave for the first step is kept back until the browser really goes in.
  return template.activation === undefined ? url : withOpen(`/visit/${visitToken(visit)}/open`, open);
}
