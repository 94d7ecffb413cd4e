import type { FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';

/**
 * Lets an action through only from our own pages. Browsers name the sender's relation in Sec-Fetch-Site; `same-site` is
 * not enough, because every instance, and whatever its visitor put into it, lives on a sibling name. Where that header
 * is missing (plain http on a name that is not localhost) Origin decides. Neither of them: no browser, so no visitor
 * whose cookies could be abused. Throws foreign_origin.
 */
export function requireOwnPage(request: FastifyRequest, publicOrigin: string): void {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) {
    if (site === 'same-origin' || site === 'none') return;
    throw foreign();
  }
  const { origin } = request.headers;
  if (origin === undefined || origin === publicOrigin || origin === `${request.protocol}://${request.host}`) return;
  throw foreign();
}

function foreign(): TryItNowError {
  return new TryItNowError(
    'foreign_origin',
    'This form was sent from another site, so nothing was done; open the start page and click there',
  );
}

/** True when a browser fetches ahead of a click that may never come. */
export function isPrefetch({ headers }: FastifyRequest): boolean {
  return [headers['sec-purpose'], headers['purpose'], headers['x-moz']].some(
    (value) => value?.includes('prefetch') === true,
  );
}
