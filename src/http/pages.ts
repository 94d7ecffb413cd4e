import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Demos } from './demos.ts';
import type { SiteOf } from './embedding-site.ts';
import type { Origins } from './origins.ts';
import type { WaitingStreams } from './waiting-streams.ts';

export interface PagesContext {
  readonly demos: Demos;
  readonly log: Log;
  /** Where people reach this server, without a trailing slash. */
  readonly publicUrl: string;
  /** Whose pages may ask for what. */
  readonly origins: Origins;
  /** Whose limits a request counts against. */
  readonly clientKeyOf: (request: FastifyRequest) => string;
  /** The site that a visitor comes from. */
  readonly siteOf: SiteOf;
  /** Those who listen to how they stand in the line. */
  readonly waiting: WaitingStreams;
}

/** What people see beside the API. Handed in by the composition, so that the API knows no page. */
export interface Pages {
  /** In place of a problem body; undefined for a request that wants none. */
  failurePage(request: FastifyRequest, reply: FastifyReply, error: TryItNowError): FastifyReply | undefined;
  register(app: FastifyInstance, context: PagesContext): Promise<void>;
}
