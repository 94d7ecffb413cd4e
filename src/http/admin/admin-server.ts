import swagger from '@fastify/swagger';
import { TryItNowError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { AuditLog } from '../../pool/interfaces/audit-log.ts';
import { keyCheck } from '../api-keys.ts';
import type { App } from '../context.ts';
import { createListener, type HttpServer } from '../listener.ts';
import type { HttpObserver } from '../observation.ts';
import { ProblemBody } from '../schemas/problem.ts';
import { auditRoutes } from './audit-routes.ts';
import { AuditTrail } from './audit-trail.ts';
import { failureRoutes } from './failure-routes.ts';
import { funnelRoutes } from './funnel-routes.ts';
import { instanceRoutes } from './instance-routes.ts';
import { ADMIN_OPENAPI_OPTIONS } from './openapi.ts';
import { networkRoutes } from './network-routes.ts';
import { nodeRoutes } from './node-routes.ts';
import { poolRoutes } from './pool-routes.ts';
import type { Operators } from './operators.ts';
import { queueRoutes } from './queue-routes.ts';
import { RefusedCalls, type RefusalObserver } from './refused-calls.ts';
import { webhookRoutes } from './webhook-routes.ts';

export interface AdminServerOptions {
  readonly operators: Operators;
  readonly audit: AuditLog;
  readonly log: Log;
  /** Where problems are explained: the public server's own pages. */
  readonly publicUrl: string;
  /** Empty: nobody is let in. */
  readonly operatorKeys: readonly string[];
  readonly observer?: HttpObserver & RefusalObserver;
}

/** The operators' API. Whatever is asked needs an operator's key, be it there or not. Nothing listens yet. */
export async function createAdminServer(options: AdminServerOptions): Promise<HttpServer> {
  const { log, operators } = options;
  const trail = new AuditTrail(options.audit, log);
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
  });
  const { app } = listener;
  requireOperator(app, options.operatorKeys, trail, new RefusedCalls(log, options.observer));
  trail.watch(app);
  app.addHook('preValidation', (request, _reply, done) => {
    // Validation comes after this; until then no body is undefined.
    if (request.body === undefined && request.method === 'POST') request.body = {};
    done();
  });
  app.addSchema(ProblemBody);
  await app.register(swagger, ADMIN_OPENAPI_OPTIONS);
  poolRoutes(app, operators);
  failureRoutes(app, operators);
  instanceRoutes(app, operators);
  nodeRoutes(app, operators);
  queueRoutes(app, operators);
  funnelRoutes(app, operators);
  webhookRoutes(app, operators);
  networkRoutes(app, operators);
  auditRoutes(app, options.audit);
  await app.ready();
  return listener;
}

function requireOperator(app: App, keys: readonly string[], trail: AuditTrail, refused: RefusedCalls): void {
  const check = keyCheck(keys) ?? refuseEverybody;
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      check(request.headers['x-api-key']);
    } catch (error) {
      throw error instanceof TryItNowError ? refused.note(error, request.ip) : error;
    }
    trail.admit(request);
    done();
  });
}

function refuseEverybody(): never {
  throw new TryItNowError(
    'operator_key_unset',
    'This server has no operator key, so nobody may act as an operator; set OPERATOR_KEYS_FILE (or OPERATOR_KEYS) ' +
      'and restart it',
  );
}
