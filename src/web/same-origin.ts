import type { FastifyRequest } from 'fastify';

/** True when a browser fetches ahead of a click that may never come. */
export function isPrefetch({ headers }: FastifyRequest): boolean {
  return [headers['sec-purpose'], headers['purpose'], headers['x-moz']].some(
    (value) => value?.includes('prefetch') === true,
  );
}

/** True when the browser goes there, as far as it tells; false for what a page loads as a part of itself. */
export function isNavigation({ headers }: FastifyRequest): boolean {
  const purpose = headers['sec-fetch-dest'];
  return purpose === undefined || purpose === 'document' || purpose === 'iframe';
}
