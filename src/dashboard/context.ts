import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AdminPagesContext } from '../http/admin/pages.ts';
import type { Html } from '../presentation/html.ts';
import type { PageParts, View } from './layout.ts';
import type { LiveStreams } from './live.ts';
import type { Snapshots } from './snapshot.ts';

/** What the groups of routes of the dashboard are given. */
export interface Dashboard extends AdminPagesContext {
  readonly snapshots: Snapshots;
  readonly live: LiveStreams;
  /** For who is logged in. */
  readonly send: (request: FastifyRequest, reply: FastifyReply, parts: (view: View) => PageParts) => FastifyReply;
  readonly sendBare: (reply: FastifyReply, title: string, body: Html, head?: Html) => FastifyReply;
}
