import type { FastifyRequest } from 'fastify';
import { describeError, type TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { PREVIEWS_ROLE, type KeyRole, type OperatorAction, type OperatorRole } from '../../domain/operator-role.ts';
import type { AuditLog, AuditPlace } from '../../pool/interfaces/audit-log.ts';
import type { App } from '../context.ts';
import type { RefusalObserver } from './refused-calls.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The name of a changing action: each call of it is kept in the audit log. */
    readonly audit?: OperatorAction;
    /** The least role that may; without it, that of its `audit` name, else `viewer`. */
    readonly role?: OperatorRole;
    /** Keys with the role `previews` may, too. */
    readonly previews?: true;
    /** Who is not logged in may ask, too. */
    readonly anyone?: true;
    /** Its form carries the token in its body, so whoever handles it checks it. */
    readonly form?: true;
  }
}

/** Of what an address or a body names; longer is no name of ours. */
const NAME_LENGTH = 100;
/**
 * Words for visitors, who see them anyway; they may be long. Whatever else a route takes tells one call of its action
 * from another, and is kept.
 */
const WORDS: ReadonlySet<string> = new Set(['reason', 'title']);

/** What a role may not do is told once in so long of each caller and action. */
const REFUSALS_TOLD_MS = 60_000;
/** Callers and actions that are remembered for that. */
const REFUSALS_KNOWN = 1_000;

interface Admitted {
  readonly who: string;
  readonly role: KeyRole;
}

/**
 * Keeps every call of a route with an `audit` name that an operator made, also the refused and the failed ones, and
 * before it is answered. What a role may not do can be asked for without end, so that is counted, and kept once a
 * minute of each caller and action.
 */
export class AuditTrail {
  readonly #audit: AuditLog;
  readonly #log: Log;
  readonly #observer: RefusalObserver | undefined;
  readonly #now: () => number;
  readonly #failures = new WeakMap<FastifyRequest, TryItNowError>();
  readonly #admitted = new WeakMap<FastifyRequest, Admitted>();
  readonly #refused = new Map<string, { readonly toldAt: number; since: number }>();

  constructor(
    audit: AuditLog,
    log: Log,
    observer: RefusalObserver | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#audit = audit;
    this.#log = log;
    this.#observer = observer;
    this.#now = now;
  }

  failed(request: FastifyRequest, error: TryItNowError): void {
    this.#failures.set(request, error);
  }

  /** It is this operator's. */
  admit(request: FastifyRequest, { who, role }: Admitted): void {
    this.#admitted.set(request, { who, role });
  }

  /** Call before any route is added. */
  watch(app: App): void {
    app.addHook('onSend', async (request, reply) => {
      const { audit } = request.routeOptions.config;
      const caller = this.#admitted.get(request);
      if (caller === undefined) return;
      const failure = this.#failures.get(request);
      const alike = failure?.code === 'role_too_low' ? this.#refuse(caller, audit ?? '') : 0;
      if (audit === undefined || alike === undefined) return;
      const name = alike === 0 ? audit : `${audit} alike=${alike}`;
      // What is accepted goes on, and has an entry of its own at its end.
      const outcome = failure?.code ?? (reply.statusCode === 202 ? 'begun' : 'done');
      await this.#keep(request, { who: caller.who, name, outcome }, placeOf(caller.role, failure));
    });
  }

  /** How many alike there were since the last one that was kept; undefined: it is one of those. */
  #refuse({ who }: Admitted, audit: string): number | undefined {
    this.#observer?.refusedOperator('role_too_low');
    const [key, now] = [`${who} ${audit}`, this.#now()];
    const known = this.#refused.get(key);
    if (known !== undefined && now - known.toldAt < REFUSALS_TOLD_MS) {
      known.since += 1;
      return undefined;
    }
    this.#refused.delete(key);
    this.#refused.set(key, { toldAt: now, since: 0 });
    // The first are those that were told longest ago.
    for (const [oldest] of this.#refused) if (this.#refused.size > REFUSALS_KNOWN) this.#refused.delete(oldest);
    return known?.since ?? 0;
  }

  async #keep(
    request: FastifyRequest,
    { who, name, outcome }: { readonly who: string; readonly name: string; readonly outcome: string },
    place: AuditPlace,
  ): Promise<void> {
    const entry = {
      who,
      action: [name, ...particulars(request)].join(' '),
      on: targetOf(request.params),
      outcome,
    };
    this.#log.info({ audit: true, requestId: request.id, from: request.ip, ...entry }, 'Operator action');
    try {
      await this.#audit.record(entry, place);
    } catch (error) {
      // What was done is done; the log line above tells of it.
      this.#log.error(
        { audit: true, requestId: request.id, reason: describeError(error) },
        'The audit log could not be written',
      );
    }
  }
}

/** What failed on our side may be half done. */
function placeOf(role: KeyRole, failure: TryItNowError | undefined): AuditPlace {
  if (role === PREVIEWS_ROLE) return 'previews';
  return role === 'viewer' || (failure !== undefined && failure.status < 500) ? 'refused' : role;
}

function targetOf(params: unknown): string {
  const values: readonly unknown[] = typeof params === 'object' && params !== null ? Object.values(params) : [];
  const named = values.filter((value) => typeof value === 'string');
  return named.length > 0 ? plain(named.join(' ')) : 'all';
}

/** Of what the route declares: anything else is refused, and anybody can make up any amount of it. */
function particulars({ routeOptions: { schema }, query, body }: FastifyRequest): string[] {
  return [...given(schema?.querystring, query), ...given(schema?.body, body)];
}

function given(schema: unknown, values: unknown): string[] {
  const named = new Map(entriesOf(values));
  return entriesOf(new Map(entriesOf(schema)).get('properties')).flatMap(([name]) => {
    const value = named.get(name);
    if (value === undefined || value === false || WORDS.has(name)) return [];
    return [`${name}=${plain(JSON.stringify(value)).replaceAll('"', '')}`];
  });
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** Anybody can ask for any address: what would steer a terminal is not kept. */
function plain(text: string): string {
  return text.slice(0, NAME_LENGTH).replace(/\p{Cc}/gu, '·');
}
