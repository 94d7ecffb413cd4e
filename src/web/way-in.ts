import type { Template } from '../domain/template.ts';
import { visitToken, type VisitKey } from '../domain/visit-token.ts';

/** `/try/<template>` and the like, with the landing path that was asked for. */
export function withOpen(path: string, open: string | undefined): string {
  return open === undefined ? path : `${path}?${new URLSearchParams({ open }).toString()}`;
}

/** The address that a visitor is sent to. `url`: the instance's own, with its landing path. */
export function wayIn(template: Template, visit: VisitKey, url: string, open: string | undefined): string {
  // What its activation gave for the first step is kept back until the browser really goes in.
  return template.activation === undefined ? url : withOpen(`/visit/${visitToken(visit)}/open`, open);
}
