import type { FastifyRequest } from 'fastify';
import { describeError, type TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { OperatorAction, OperatorRole } from '../../domain/operator-role.ts';
import type { AuditLog } from '../../pool/interfaces/audit-log.ts';
import type { App } from '../context.ts';

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
 * What of a body tells one call of an action from another. Never the reason: visitors see that anyway,
 * and it may be long.
 */
const PARTICULARS = [
  'target',
  'promote',
  'keep',
  'for_seconds',
  'from',
  'image',
  'to',
  'within_seconds',
  'which',
  'force',
] as const;

/**
 * Keeps every call of a route with an `audit` name that an operator made, also the refused and the failed ones, and
 * before it is answered.
 */
export class AuditTrail {
  readonly #audit: AuditLog;
  readonly #log: Log;
  readonly #failures = new WeakMap<FastifyRequest, TryItNowError>();
  readonly #admitted = new WeakMap<FastifyRequest, string>();

  constructor(audit: AuditLog, log: Log) {
    this.#audit = audit;
    this.#log = log;
  }

  failed(request: FastifyRequest, error: TryItNowError): void {
    this.#failures.set(request, error);
  }

  /** It is this operator's. */
  admit(request: FastifyRequest, who: string): void {
    this.#admitted.set(request, who);
  }

  /** Call before any route is added. */
  watch(app: App): void {
    app.addHook('onSend', async (request, reply) => {
      const { audit } = request.routeOptions.config;
      const who = this.#admitted.get(request);
      // What is accepted goes on, and has an entry of its own at its end.
      const outcome = this.#failures.get(request)?.code ?? (reply.statusCode === 202 ? 'begun' : 'done');
      if (audit !== undefined && who !== undefined) await this.#keep(request, audit, who, outcome);
    });
  }

  async #keep(request: FastifyRequest, name: string, who: string, outcome: string): Promise<void> {
    const entry = {
      who,
      action: [name, ...particulars(request.body)].join(' '),
      on: targetOf(request.params),
      outcome,
    };
    this.#log.info({ audit: true, requestId: request.id, from: request.ip, ...entry }, 'Operator action');
    try {
      await this.#audit.record(entry);
    } catch (error) {
      // What was done is done; the log line above tells of it.
      this.#log.error(
        { audit: true, requestId: request.id, reason: describeError(error) },
        'The audit log could not be written',
      );
    }
  }
}

function targetOf(params: unknown): string {
  const values: readonly unknown[] = typeof params === 'object' && params !== null ? Object.values(params) : [];
  const named = values.filter((value) => typeof value === 'string');
  return named.length > 0 ? plain(named.join(' ')) : 'all';
}

function particulars(body: unknown): string[] {
  if (typeof body !== 'object' || body === null) return [];
  const given = new Map<string, unknown>(Object.entries(body));
  return PARTICULARS.flatMap((key) => {
    const value = given.get(key);
    return value === undefined ? [] : [`${key}=${plain(JSON.stringify(value)).replaceAll('"', '')}`];
  });
}

/** Anybody can ask for any address: what would steer a terminal is not kept. */
function plain(text: string): string {
  return text.slice(0, NAME_LENGTH).replace(/\p{Cc}/gu, '·');
}
