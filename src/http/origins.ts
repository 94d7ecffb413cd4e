import type { FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';

/** What a frame without an origin of its own sends. */
const OPAQUE = 'null';

/** Whose pages may ask for what: our own for everything, those of other sites where a template names them. */
export class Origins {
  readonly #own: string;
  readonly #templates: () => readonly Template[];

  constructor(publicUrl: string, templates: () => readonly Template[]) {
    this.#own = new URL(publicUrl).origin;
    this.#templates = templates;
  }

  /** Whether pages of this origin may offer the template; without one, any. */
  allows(origin: string, template?: string): boolean {
    return this.#templates().some(
      ({ name, allowedOrigins }) => (template === undefined || name === template) && allowedOrigins.includes(origin),
    );
  }

  /** All of other sites that may offer something. */
  get others(): readonly string[] {
    return [...new Set(this.#templates().flatMap(({ allowedOrigins }) => allowedOrigins))];
  }

  /** Whether a page of another site has sent this, allowed or not: browsers keep our cookies from us then. */
  isForeign(request: FastifyRequest): boolean {
    return this.#foreignSender(request) !== undefined;
  }

  /** Lets through what our own pages send, and what is no browser's. Throws foreign_origin. */
  requireOwn(request: FastifyRequest): void {
    const sender = this.#foreignSender(request);
    if (sender !== undefined) throw foreign(sender);
  }

  /** As `requireOwn`, and also what pages send that may offer the template; without one, any. Throws foreign_origin. */
  requireAllowed(request: FastifyRequest, template?: string): void {
    const sender = this.#foreignSender(request);
    if (sender !== undefined && !this.allows(sender, template)) throw foreign(sender);
  }

  /**
   * What changes something is taken as `requireAllowed` takes it; scripts of the same pages may read the answer.
   * Throws foreign_origin.
   */
  admit(request: FastifyRequest, reply: FastifyReply, template?: string): void {
    const { origin } = request.headers;
    if (request.method === 'POST') this.requireAllowed(request, template);
    reply.header('vary', 'Origin');
    if (origin !== undefined && this.allows(origin, template)) reply.header('access-control-allow-origin', origin);
  }

  /**
   * The origin of the other site whose page sent this. Browsers name the sender's relation in Sec-Fetch-Site, where
   * `same-site` is as foreign as any: every instance, and whatever its visitor put into it, lives on a sibling name.
   * Where that header is missing (plain http on a name that is not localhost) Origin decides. Neither of them: no
   * browser, so no visitor who could be made to send it.
   */
  #foreignSender(request: FastifyRequest): string | undefined {
    const { origin = OPAQUE, 'sec-fetch-site': site } = request.headers;
    if (site === 'same-origin' || site === 'none') return undefined;
    if (site === undefined && request.headers.origin === undefined) return undefined;
    const own = origin === this.#own || origin === `${request.protocol}://${request.host}`;
    return site === undefined && own ? undefined : origin;
  }
}

function foreign(sender: string): TryItNowError {
  return new TryItNowError(
    'foreign_origin',
    `This was sent by a page of another site (${sender.slice(0, 200)}) that is not allowed to, so nothing was done; ` +
      'open the start page and click there, or name that site in ALLOWED_ORIGINS',
  );
}
