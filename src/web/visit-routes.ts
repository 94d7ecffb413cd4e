import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Demos } from '../http/demos.ts';
import { field } from './fields.ts';
import { isPrefetch } from './same-origin.ts';

type ForVisit = { Params: { token: string } };

/** What a visitor's browser asks for with the token of its visit. */
export function visitRoutes(app: FastifyInstance, demos: Demos): void {
  app.get<ForVisit>('/visit/:token/open', { exposeHeadRoute: false }, (request, reply) => open(demos, request, reply));
}

/**
 * Sends the browser into the app. What signs a visitor in works once, so nobody gets it who only looks ahead; the
 * app's own redirect takes it out of the address bar, and no site learns it as a referrer.
 */
async function open(demos: Demos, request: FastifyRequest<ForVisit>, reply: FastifyReply): Promise<FastifyReply> {
  if (isPrefetch(request)) return reply.code(503).send();
  const view = await demos.visit(request.params.token);
  const url = await demos.enter(view, field(request.query, 'open'));
  return reply.header('referrer-policy', 'no-referrer').redirect(url, 303);
}
