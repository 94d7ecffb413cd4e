import { createHash, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CookieSerializeOptions } from '@fastify/cookie';
import type { Entropy } from '../domain/ids.ts';
import { isInstanceId } from '../domain/ids.ts';

const TOKEN = /^[\w-]{22}$/;
const DAY_SECONDS = 86_400;

/**
 * One browser. The cookie holds a secret; `token`, its hash, is what forms carry for browsers that keep no cookies, and
 * what the pool knows.
 */
export interface Visitor {
  readonly token: string;
  /** `visitor:<token>`, as instances name their owner. */
  readonly owner: string;
  /** False for a browser that did not send our cookie. */
  readonly hasCookie: boolean;
}

/**
 * What we keep in a visitor's browser: who they are, which instances they hold, and since when they wait. Over https
 * the names have the __Host- prefix: an instance on a sibling name could otherwise plant a cookie of its choice here.
 */
export class VisitorCookies {
  readonly #secure: boolean;
  readonly #longestVisitMs: () => number;
  readonly #entropy: Entropy;

  /** `longestVisitMs`: for so long a browser is to be known after each click, or for a day. */
  constructor(secure: boolean, longestVisitMs: () => number, entropy: Entropy = randomBytes) {
    this.#secure = secure;
    this.#longestVisitMs = longestVisitMs;
    this.#entropy = entropy;
  }

  /** Who asks: by cookie, else by the token their form carried, else somebody new. The cookie is set or renewed. */
  identify(request: FastifyRequest, reply: FastifyReply, formToken?: string): Visitor {
    const known = this.#read(request, 'visitor');
    if (known !== undefined && TOKEN.test(known)) {
      this.#write(reply, 'visitor', known, this.#visitSeconds());
      return visitor(hash(known), true);
    }
    if (formToken !== undefined && TOKEN.test(formToken)) return visitor(formToken, false);
    const secret = Buffer.from(this.#entropy(16)).toString('base64url');
    this.#write(reply, 'visitor', secret, this.#visitSeconds());
    return visitor(hash(secret), false);
  }

  /** Who has our cookie; undefined for a browser without it. */
  known(request: FastifyRequest): Visitor | undefined {
    const secret = this.#read(request, 'visitor');
    return secret !== undefined && TOKEN.test(secret) ? visitor(hash(secret), true) : undefined;
  }

  /**
   * The id of the instance of this template they were last given; whether it is still theirs is for the pool to say.
   */
  held(request: FastifyRequest, template: string): string | undefined {
    const id = this.#read(request, `held-${encodeURIComponent(template)}`);
    return id !== undefined && isInstanceId(id) ? id : undefined;
  }

  hold(reply: FastifyReply, template: string, id: string): void {
    this.#write(reply, `held-${encodeURIComponent(template)}`, id, this.#visitSeconds());
  }

  letGo(reply: FastifyReply, template: string): void {
    this.#clear(reply, `held-${encodeURIComponent(template)}`);
  }

  /** When they clicked and found nothing ready; undefined when they did not. */
  waitingSince(request: FastifyRequest, template: string): number | undefined {
    return parseSince(this.#read(request, `wait-${encodeURIComponent(template)}`));
  }

  wait(reply: FastifyReply, template: string, sinceMs: number, forSeconds: number): void {
    this.#write(reply, `wait-${encodeURIComponent(template)}`, String(sinceMs), forSeconds);
  }

  stopWaiting(reply: FastifyReply, template: string): void {
    this.#clear(reply, `wait-${encodeURIComponent(template)}`);
  }

  /** Whether they were asked for details of themselves, and have answered or declined. */
  hasAnswered(request: FastifyRequest, template: string): boolean {
    return this.#read(request, `lead-${encodeURIComponent(template)}`) !== undefined;
  }

  answered(reply: FastifyReply, template: string): void {
    this.#write(reply, `lead-${encodeURIComponent(template)}`, '1', DAY_SECONDS);
  }

  askAgain(reply: FastifyReply, template: string): void {
    this.#clear(reply, `lead-${encodeURIComponent(template)}`);
  }

  #visitSeconds(): number {
    return Math.max(DAY_SECONDS, Math.ceil(this.#longestVisitMs() / 1000));
  }

  #read(request: FastifyRequest, name: string): string | undefined {
    return request.cookies[this.#name(name)];
  }

  #write(reply: FastifyReply, name: string, value: string, maxAge: number): void {
    reply.setCookie(this.#name(name), value, { ...this.#attributes(), maxAge });
  }

  #clear(reply: FastifyReply, name: string): void {
    reply.clearCookie(this.#name(name), this.#attributes());
  }

  #name(name: string): string {
    return `${this.#secure ? '__Host-' : ''}try-it-now-${name}`;
  }

  #attributes(): CookieSerializeOptions {
    return { path: '/', httpOnly: true, sameSite: 'lax', secure: this.#secure };
  }
}

/** Milliseconds since the epoch as text; undefined for anything else. */
export function parseSince(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{13}$/.test(text) ? Number(text) : undefined;
}

/**
 * Somebody in a page of another site, where browsers keep our cookies from us: known by the token that the page made up
 * for them, and by nothing else. Undefined for what is no such token.
 */
export function embeddedVisitor(token: string | undefined): Visitor | undefined {
  return token !== undefined && TOKEN.test(token) ? { token, owner: `embed:${token}`, hasCookie: false } : undefined;
}

/**
 * Whether what our cookie says is to agree with whose visit it is. Only visits that began on our own pages are their
 * browser's; all others belong to whoever has the visit's token, whatever cookie comes along with it.
 */
export function isOfBrowser(owner: string | null): boolean {
  return owner?.startsWith('visitor:') === true;
}

function visitor(token: string, hasCookie: boolean): Visitor {
  return { token, owner: `visitor:${token}`, hasCookie };
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url').slice(0, 22);
}
