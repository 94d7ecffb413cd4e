import type { FastifyRequest } from 'fastify';

/** True when a browser fetches ahead of a click that may never come. */
export function isPrefetch({ headers }: FastifyRequest): boolean {
  return [headers['sec-purpose'], headers['purpose'], headers['x-moz']].some(
    (value) => value?.includes('prefetch') === true,
  );
}
