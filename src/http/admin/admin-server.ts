import cookie from '@fastify/cookie';
import swagger from '@fastify/swagger';
import type { FastifyContextConfig } from 'fastify';
import { TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import {
  ACTION_ROLES,
  mayAct,
  PREVIEWS_ROLE,
  type OperatorKey,
  type OperatorRole,
  type RoleGrant,
} from '../../domain/operator-role.ts';
import type { AuditLog } from '../../pool/interfaces/audit-log.ts';
import type { IdentityProvider } from '../../pool/interfaces/identity-provider.ts';
import type { OperatorSessions } from '../../pool/interfaces/operator-sessions.ts';
import type { App } from '../context.ts';
import { createListener, type HttpServer } from '../listener.ts';
import type { HttpObserver } from '../observation.ts';
import { ProblemBody } from '../schemas/problem.ts';
import { auditRoutes } from './audit-routes.ts';
import { AuditTrail } from './audit-trail.ts';
import { Callers } from './callers.ts';
import { checkpointRoutes } from './checkpoint-routes.ts';
import { failureRoutes } from './failure-routes.ts';
import { funnelRoutes } from './funnel-routes.ts';
import { keepIdsBack } from './ids-kept-back.ts';
import { imageRoutes } from './image-routes.ts';
import { instanceRoutes } from './instance-routes.ts';
import { ADMIN_OPENAPI_OPTIONS } from './openapi.ts';
import { jobRoutes } from './job-routes.ts';
import { networkRoutes } from './network-routes.ts';
import { nodeRoutes } from './node-routes.ts';
import { poolEventRoutes } from './pool-event-routes.ts';
import { poolRoutes } from './pool-routes.ts';
import type { Operators } from './operators.ts';
import type { AdminPages } from './pages.ts';
import { previewRoutes } from './preview-routes.ts';
import { queueRoutes } from './queue-routes.ts';
import { RefusedCalls, type RefusalObserver } from './refused-calls.ts';
import { sessionRoutes } from './session-routes.ts';
import { templateRoutes } from './template-routes.ts';
import { webhookRoutes } from './webhook-routes.ts';

export interface AdminServerOptions {
  readonly operators: Operators;
  readonly audit: AuditLog;
  readonly log: Log;
  /** Where problems are explained: the public server's own pages. */
  readonly publicUrl: string;
  /** Empty: nobody is let in. */
  readonly operatorKeys: readonly OperatorKey[];
  readonly sessions: OperatorSessions;
  readonly sessionMs: number;
  /** Where operators log in besides, and the roles of those who do; undefined: by key alone. */
  readonly login: { readonly provider: IdentityProvider; readonly roles: readonly RoleGrant[] } | undefined;
  /** Where operators' browsers reach the dashboard; undefined: at the listener itself. */
  readonly dashboardUrl: string | undefined;
  /** Undefined: there is the API alone. */
  readonly pages: AdminPages | undefined;
  readonly observer?: HttpObserver & RefusalObserver;
}

/**
 * The operators' API, and their dashboard. Whatever is asked needs an operator, be it there or not, and the role that
 * its route declares. Nothing listens yet.
 */
export async function createAdminServer(options: AdminServerOptions): Promise<HttpServer> {
  const { log, login, operators, pages, sessions } = options;
  const trail = new AuditTrail(options.audit, log, options.observer);
  const listener = createListener({
    log,
    name: 'admin API',
    variable: 'ADMIN_ADDR',
    catalogue: 'docs/reference/admin-openapi.json',
    typeBase: `${options.publicUrl}/problems/`,
    trustedProxies: [],
    observer: options.observer,
    limits: undefined,
    onFailure: (request, error) => trail.failed(request, error),
    ...(pages === undefined ? {} : { failurePage: (...failure) => pages.failurePage(...failure) }),
  });
  const { app } = listener;
  const callers = new Callers({
    keys: options.operatorKeys,
    vouched: login === undefined ? undefined : { issuer: login.provider.issuer, roles: login.roles },
    sessions,
    sessionMs: options.sessionMs,
    refused: new RefusedCalls(log, options.observer),
    dashboardUrl: options.dashboardUrl,
  });
  await app.register(cookie);
  requireOperator(app, callers, trail);
  keepIdsBack(app, callers);
  app.addHook('preValidation', (request, _reply, done) => {
    // Validation comes after this; until then no body is undefined.
    if (request.body === undefined && request.method === 'POST') request.body = {};
    done();
  });
  app.addSchema(ProblemBody);
  await app.register(swagger, ADMIN_OPENAPI_OPTIONS);
  poolRoutes(app, operators);
  templateRoutes(app, operators);
  previewRoutes(app, operators, { callers, publicUrl: options.publicUrl });
  poolEventRoutes(app, operators);
  failureRoutes(app, operators);
  instanceRoutes(app, operators);
  nodeRoutes(app, operators);
  imageRoutes(app, operators);
  queueRoutes(app, operators);
  funnelRoutes(app, operators);
  webhookRoutes(app, operators, callers);
  networkRoutes(app, operators);
  auditRoutes(app, options.audit);
  checkpointRoutes(app, operators, callers);
  jobRoutes(app, operators, callers);
  sessionRoutes(app, sessions);
  const entries = { keys: options.operatorKeys.some(isOfPerson), provider: login?.provider };
  await pages?.register(app, { ...options, callers, entries });
  await app.ready();
  return {
    ...listener,
    close: (graceMs) => {
      pages?.stop();
      return listener.close(graceMs);
    },
  };
}

function requireOperator(app: App, callers: Callers, trail: AuditTrail): void {
  app.addHook('onRoute', ({ method, url, config = {} }) => {
    const changes = [method].flat().some((one) => one !== 'GET' && one !== 'HEAD');
    if (changes && config.audit === undefined && config.role === undefined && config.anyone !== true)
      throw new Error(`${url} changes something, and declares neither an action nor a role`);
  });
  app.addHook('onRequest', async (request) => {
    // Of an address that is not there, there is none.
    const config: FastifyContextConfig = request.is404 ? {} : request.routeOptions.config;
    if (config.anyone === true) return;
    const caller = await callers.identify(request, { formToken: config.form === true ? 'later' : 'required' });
    trail.admit(request, caller);
    const least = leastRole(config);
    if (mayAct(caller.role, least) || (caller.role === PREVIEWS_ROLE && config.previews === true)) return;
    throw new TryItNowError(
      'role_too_low',
      `You are ${caller.who} with the role ${caller.role}, and this needs the role ${least}; nothing was done`,
    );
  });
  trail.watch(app);
}

/** And no program's. */
function isOfPerson({ role }: OperatorKey): boolean {
  return role !== PREVIEWS_ROLE;
}

function leastRole({ audit, role }: FastifyContextConfig): OperatorRole {
  return role ?? (audit === undefined ? 'viewer' : ACTION_ROLES[audit]);
}
