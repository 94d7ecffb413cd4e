import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../../domain/errors.ts';
import {
  grantedRole,
  PREVIEWS_ROLE,
  type KeyRole,
  type OperatorKey,
  type OperatorRole,
  type RoleGrant,
} from '../../domain/operator-role.ts';
import type { Identity } from '../../pool/interfaces/identity-provider.ts';
import type { ListedSession, OperatorSessions } from '../../pool/interfaces/operator-sessions.ts';
import { keyFingerprint, operatorKeyCheck, type KeyRights } from '../api-keys.ts';
import type { RefusedCalls } from './refused-calls.ts';

const COOKIE = 'operator';
const SECRET_BYTES = 32;
/** What a form or a script of ours sends along, since the cookie alone comes with what others have a browser send. */
export const FORM_TOKEN_HEADER = 'x-form-token';

/** Who asks. */
export interface Caller {
  /** As the audit log names them. */
  readonly who: string;
  readonly role: KeyRole;
  /** The template whose previews alone it is about; undefined: any, as far as the role goes. */
  readonly previewsOf?: string;
  /** Undefined for who sends a key. */
  readonly session: (ListedSession & { readonly formToken: string }) | undefined;
}

interface Vouched {
  readonly issuer: string;
  readonly roles: readonly RoleGrant[];
}

/** Somebody who may be logged in. */
type Known = Pick<ListedSession, 'who' | 'role' | 'vouched'>;

export interface CallersOptions {
  /** Empty: nobody is let in by key. */
  readonly keys: readonly OperatorKey[];
  /** What roles those have whom a log-in provider vouches for; undefined: there is none. */
  readonly vouched: Vouched | undefined;
  readonly sessions: OperatorSessions;
  /** How long a browser stays logged in. */
  readonly sessionMs: number;
  readonly refused: RefusedCalls;
  /** Where browsers reach the dashboard; undefined: at the listener itself. */
  readonly dashboardUrl: string | undefined;
}

/** Operators, by the key that they send or by the session that their browser has. */
export class Callers {
  readonly #options: CallersOptions;
  readonly #rightsOfKey: ((presented: string | string[] | undefined) => KeyRights) | undefined;
  /** Of keys that somebody may log in with. */
  readonly #roles: ReadonlyMap<string, OperatorRole>;
  readonly #known = new WeakMap<FastifyRequest, Caller>();

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#rightsOfKey = operatorKeyCheck(options.keys);
    this.#roles = new Map(
      options.keys.flatMap(({ key, role }) => (role === PREVIEWS_ROLE ? [] : [[keyFingerprint(key), role] as const])),
    );
  }

  /**
   * Throws key_missing, key_wrong, operator_key_unset, too_many_refusals; for what a browser sends that changes
   * something, foreign_origin and form_outdated; store_unavailable.
   */
  async identify(request: FastifyRequest, { formToken = 'required' }: { formToken?: 'required' | 'later' } = {}) {
    const caller = await this.#identify(request);
    this.#known.set(request, caller);
    if (caller.session !== undefined && !isSafe(request)) {
      this.requireOwnPage(request);
      if (formToken === 'required') requireFormToken(caller, request.headers[FORM_TOKEN_HEADER]);
    }
    return caller;
  }

  /** Undefined for a request of nobody. */
  of(request: FastifyRequest): Caller | undefined {
    return this.#known.get(request);
  }

  /** Who this key is. Throws as `identify`. */
  withKey(key: string | string[] | undefined, request: FastifyRequest): { readonly who: string } & KeyRights {
    try {
      if (this.#rightsOfKey === undefined && this.#options.vouched === undefined) throw keyUnset();
      if (this.#rightsOfKey === undefined || key === undefined || key === '') throw keyMissing();
      return { who: keyFingerprint(key), ...this.#rightsOfKey(key) };
    } catch (error) {
      throw error instanceof TryItNowError ? this.#options.refused.note(error, request.ip) : error;
    }
  }

  /** Who logs in with this key. Throws as `identify`, and role_too_low for a key that is no person's. */
  toLogIn(key: string | undefined, request: FastifyRequest): Known {
    const { who, role } = this.withKey(key, request);
    if (role !== PREVIEWS_ROLE) return { who, role };
    throw new TryItNowError(
      'role_too_low',
      'This key is for a program that puts previews, and opens no dashboard; log in with a key of your own',
    );
  }

  /** What somebody whom the provider vouches for may. Throws login_without_role and too_many_refusals. */
  withIdentity({ who, values }: Identity, request: FastifyRequest): Known {
    const { vouched, refused } = this.#options;
    const granted = vouched?.roles.map(({ value }) => value).filter((value) => values.includes(value)) ?? [];
    const role = grantedRole(granted, vouched?.roles ?? []);
    if (vouched !== undefined && role !== undefined)
      return { who, role, vouched: { issuer: vouched.issuer, values: [...new Set(granted)] } };
    throw refused.note(
      new TryItNowError('login_without_role', `You are ${who}, and nothing that is said of you has a role here`),
      request.ip,
    );
  }

  /** Counts a log-in that a provider did not bring to its end, and says what to answer with. */
  refuse(error: TryItNowError, request: FastifyRequest): TryItNowError {
    return this.#options.refused.note(error, request.ip);
  }

  /** Logs a browser in, in place of what it was logged in as. Throws store_unavailable. */
  async open({ who, role, vouched }: Known, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { sessions, sessionMs } = this.#options;
    await this.close(request, reply);
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const more = vouched === undefined ? {} : { vouched };
    await sessions.open(secret, { who, role, from: request.ip, forMs: sessionMs, ...more });
    const { name, ...options } = this.#cookie(request);
    reply.setCookie(name, secret, { ...options, maxAge: sessionMs / 1_000 });
  }

  /** Throws store_unavailable. */
  async close(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const secret = this.#secret(request);
    if (secret === undefined) return;
    const session = await this.#options.sessions.find(secret);
    if (session !== undefined) await this.#options.sessions.end(session.id);
    const { name, ...options } = this.#cookie(request);
    reply.clearCookie(name, options);
  }

  /** Whether the session that was found for this request still holds. Throws store_unavailable. */
  async stillHolds(request: FastifyRequest): Promise<boolean> {
    const secret = this.#secret(request);
    return secret !== undefined && (await this.#sessionOf(secret)) !== undefined;
  }

  /**
   * Lets through what our own pages send, and what is no browser's. A name beside ours is as foreign as any: instances,
   * and whatever is put into them, may live there. Throws foreign_origin.
   */
  requireOwnPage(request: FastifyRequest): void {
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (site === 'same-origin' || (site === 'none' && origin === undefined)) return;
    if (site === undefined && (origin === undefined || this.#isOwn(origin, request.host))) return;
    throw new TryItNowError(
      'foreign_origin',
      `This was sent by a page of another site (${(origin ?? 'unnamed').slice(0, 200)}), so nothing was done; open ` +
        'the dashboard itself and click there. Behind a proxy, DASHBOARD_URL has to be the address in the browser',
    );
  }

  /** A cookie that only goes to where the browser reaches us by TLS; a tunnel to the listener itself has none. */
  isSecure({ host }: FastifyRequest): boolean {
    const { dashboardUrl } = this.#options;
    return dashboardUrl !== undefined && dashboardUrl.startsWith('https:') && new URL(dashboardUrl).host === host;
  }

  async #identify(request: FastifyRequest): Promise<Caller> {
    const key = request.headers['x-api-key'];
    const secret = key === undefined ? this.#secret(request) : undefined;
    const session = secret === undefined ? undefined : await this.#sessionOf(secret);
    return session ?? { ...this.withKey(key, request), session: undefined };
  }

  async #sessionOf(secret: string): Promise<Caller | undefined> {
    const session = await this.#options.sessions.find(secret);
    if (session === undefined) return undefined;
    const role = this.#roleOf(session);
    if (role === undefined) return undefined;
    return { who: session.who, role, session: { ...session, role, formToken: formTokenOf(secret) } };
  }

  /** A key or a grant that is taken out of the configuration, or has another role there, is so for its sessions too. */
  #roleOf({ who, vouched }: ListedSession): OperatorRole | undefined {
    if (vouched === undefined) return this.#roles.get(who);
    const { vouched: now } = this.#options;
    return now?.issuer === vouched.issuer ? grantedRole(vouched.values, now.roles) : undefined;
  }

  #secret(request: FastifyRequest): string | undefined {
    const secret = request.cookies[this.#cookie(request).name];
    return secret !== undefined && /^[\w-]{43}$/.test(secret) ? secret : undefined;
  }

  #cookie(request: FastifyRequest) {
    const secure = this.isSecure(request);
    const name = secure ? `__Host-${COOKIE}` : COOKIE;
    return { name, path: '/', httpOnly: true, sameSite: 'strict', secure } as const;
  }

  #isOwn(origin: string, host: string): boolean {
    const { dashboardUrl } = this.#options;
    if (dashboardUrl !== undefined && origin === new URL(dashboardUrl).origin) return true;
    return URL.canParse(origin) && new URL(origin).host === host;
  }
}

/** Throws form_outdated. */
export function requireFormToken({ session }: Caller, presented: unknown): void {
  if (session === undefined) return;
  const wanted = Buffer.from(session.formToken);
  const given = Buffer.from(typeof presented === 'string' ? presented : '');
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  throw new TryItNowError(
    'form_outdated',
    'What was sent does not carry the token of this login, so nothing was done; it may be of a page from before ' +
      'you logged in',
  );
}

function formTokenOf(secret: string): string {
  return createHmac('sha256', secret).update('form').digest('base64url');
}

function isSafe({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

function keyMissing(): TryItNowError {
  return new TryItNowError(
    'key_missing',
    'Operators need a key; send yours in the X-API-Key header, or log in to the dashboard with it',
  );
}

function keyUnset(): TryItNowError {
  return new TryItNowError(
    'operator_key_unset',
    'This server has no operator key, so nobody may act as an operator; set OPERATOR_KEYS_FILE (or OPERATOR_KEYS) ' +
      'and restart it',
  );
}
