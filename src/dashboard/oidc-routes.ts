import { createHmac, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import type { App } from '../http/context.ts';
import { field } from '../http/field.ts';
import type { IdentityProvider, LoginAttempt } from '../pool/interfaces/identity-provider.ts';
import { html } from '../presentation/html.ts';
import type { Dashboard } from './context.ts';
import { ownPath } from './own-path.ts';
import { onwardPage } from './pages/entry.ts';

export const OIDC_PATH = '/login/oidc';
const COOKIE = 'operator-login';
/** To type a password and look for a phone. */
const ATTEMPT_S = 600;

/** What a browser keeps while its user is at the provider. */
interface Begun {
  /** What the provider's answer is held against is derived from it, so there is nothing to store. */
  readonly secret: string;
  readonly next: string;
}

/** The way in through a provider: there, and back again. */
export function providerRoutes(app: App, { callers, log, sendBare }: Dashboard, provider: IdentityProvider): void {
  const cookie = (request: FastifyRequest) => {
    const secure = callers.isSecure(request);
    // Lax: the provider, another site, sends the browser back, and a strict cookie would stay behind then.
    const options = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const;
    return { name: secure ? `__Host-${COOKIE}` : COOKIE, options };
  };

  app.get(OIDC_PATH, { config: { anyone: true } }, async (request, reply) => {
    const begun = { secret: randomBytes(32).toString('base64url'), next: ownPath(field(request.query, 'next') ?? '/') };
    const url = await counted(request, provider.begin(attemptOf(begun)));
    const { name, options } = cookie(request);
    reply.setCookie(name, `${begun.secret}${begun.next}`, { ...options, maxAge: ATTEMPT_S });
    return reply.redirect(url.href, 303);
  });

  app.get(`${OIDC_PATH}/callback`, { config: { anyone: true } }, async (request, reply) => {
    const { name, options } = cookie(request);
    const begun = begunOf(request.cookies[name]);
    reply.clearCookie(name, options);
    const { searchParams } = new URL(request.url, 'http://here');
    const identity = await counted(
      request,
      begun === undefined ? notBegun() : provider.finish(attemptOf(begun), searchParams),
    );
    const known = callers.withIdentity(identity, request);
    await callers.open(known, request, reply);
    log.info({ audit: true, who: known.who, role: known.role, from: request.ip }, 'Operator logged in');
    return leadOn(reply, begun?.next ?? '/');
  });

  /** What fails is counted as wrong keys are. */
  async function counted<T>(request: FastifyRequest, step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      throw error instanceof TryItNowError ? callers.refuse(error, request) : error;
    }
  }

  function leadOn(reply: FastifyReply, next: string): FastifyReply {
    return sendBare(reply, 'Logged in', onwardPage(next), html`<meta http-equiv="refresh" content="0; url=${next}">`);
  }
}

function attemptOf({ secret }: Begun): LoginAttempt {
  const derived = (what: string): string => createHmac('sha256', secret).update(what).digest('base64url');
  return { state: derived('state'), nonce: derived('nonce'), verifier: derived('verifier') };
}

function begunOf(cookie: string | undefined): Begun | undefined {
  const [, secret, next = '/'] = /^([\w-]{43})(\/.*)$/.exec(cookie ?? '') ?? [];
  return secret === undefined ? undefined : { secret, next: ownPath(next) };
}

function notBegun(): Promise<never> {
  return Promise.reject(
    new TryItNowError(
      'login_refused',
      `This log-in was not begun in this browser, or more than ${ATTEMPT_S / 60} minutes ago`,
    ),
  );
}
