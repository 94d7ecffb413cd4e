import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { AuditLog } from '../../pool/interfaces/audit-log.ts';
import type { IdentityProvider } from '../../pool/interfaces/identity-provider.ts';
import type { OperatorSessions } from '../../pool/interfaces/operator-sessions.ts';
import type { App } from '../context.ts';
import type { Callers } from './callers.ts';
import type { Operators } from './operators.ts';

export interface AdminPagesContext {
  readonly operators: Operators;
  readonly audit: AuditLog;
  readonly sessions: OperatorSessions;
  readonly callers: Callers;
  /** Where operators' browsers reach this listener; undefined: at its own address. */
  readonly dashboardUrl: string | undefined;
  /** The ways in. */
  readonly entries: { readonly keys: boolean; readonly provider: IdentityProvider | undefined };
  readonly log: Log;
}

/** What operators see beside the API. Handed in by the composition, so that the API knows no page. */
export interface AdminPages {
  /** In place of a problem body; undefined for a request that wants none. */
  failurePage(request: FastifyRequest, reply: FastifyReply, error: TryItNowError): FastifyReply | undefined;
  register(app: App, context: AdminPagesContext): Promise<void>;
  /** Ends what is still open. */
  stop(): void;
}
