import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { TryItNowError } from '../domain/errors.ts';
import type { Demos } from './demos.ts';
import type { SiteOf } from './embedding-site.ts';
import type { Origins } from './origins.ts';

/** A Fastify whose handlers are typed by the schemas that validate. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** What every group of routes gets. */
export interface RouteContext {
  readonly demos: Demos;
  /** Whose rate limit the request counts against. */
  readonly clientKeyOf: (request: FastifyRequest) => string;
  /** The page it comes from, as the funnel tells sites apart. */
  readonly siteOf: SiteOf;
  /** Whose pages may ask for what. */
  readonly origins: Origins;
  /** Why this request is not taken at its address. */
  readonly refusal: (request: FastifyRequest) => TryItNowError;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Left out of the request durations: they would say nothing (a stream lasts as long as somebody listens). */
    readonly untimed?: true;
    /** Answers that the method is not taken here, so it does not count as one that is. */
    readonly refused?: true;
  }
}
