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
import type { Acquired, Demos } from './demos.ts';
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
  /** Whether what needs a key has one: then its caller is known, and answers for their visitors. */
  readonly keyed: boolean;
  /** Whose rate limit the request counts against. */
  readonly clientKeyOf: (request: FastifyRequest) => string;
  /** The page it comes from, as the funnel tells sites apart. */
  readonly siteOf: SiteOf;
  /** Whose pages may ask for what. */
  readonly origins: Origins;
  /** Where a browser, which has no key, finds how much time an instance has left. */
  readonly countdownUrl: (acquired: Acquired) => string;
  /** Why this request is not taken at its address. */
  readonly refusal: (request: FastifyRequest) => TryItNowError;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Left out of the request durations: they would say nothing (a stream lasts as long as somebody listens). */
    readonly untimed?: true;
    /** Asked by machines again and again: traces of it would say nothing. */
    readonly untraced?: true;
    /**
     * Pages of the sites that may offer the template (the one in the address, without one any) may ask for it, too, and
     * their scripts read the answer.
     */
    readonly embeddable?: true;
    /** Answers that the method is not taken here, so it does not count as one that is. */
    readonly refused?: true;
  }
}
