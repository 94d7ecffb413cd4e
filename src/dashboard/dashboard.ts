import formbody from '@fastify/formbody';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TryItNowError } from '../domain/errors.ts';
import type { AdminPages, AdminPagesContext } from '../http/admin/pages.ts';
import type { App } from '../http/context.ts';
import { problemHeaders } from '../http/problem.ts';
import { actRoutes } from './act-routes.ts';
import { loadAssets } from './assets.ts';
import type { Dashboard } from './context.ts';
import { barePage, page, type View } from './layout.ts';
import { LiveStreams } from './live.ts';
import { loginRoutes, toLogin } from './login-routes.ts';
import { failureBody } from './pages/entry.ts';
import { pageRoutes } from './page-routes.ts';
import { Snapshots } from './snapshot.ts';

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

/** The pages of operators: what the commands show and do, in a browser. */
export async function loadDashboard(): Promise<AdminPages> {
  const assets = await loadAssets();
  let live: LiveStreams | undefined;
  const sendBare: Dashboard['sendBare'] = (reply, title, body, head) =>
    reply.headers(HEADERS).send(barePage(assets.urls, title, body, head));
  return {
    failurePage: (request, reply, error) =>
      wantsPage(request) ? failurePage(request, reply, error, sendBare) : undefined,
    register: async (app, context) => {
      const snapshots = new Snapshots(context.operators);
      live = new LiveStreams(snapshots, context.callers, context.log);
      const send: Dashboard['send'] = (request, reply, parts) => {
        const view = viewOf(request, context, assets.urls);
        return reply.headers(HEADERS).send(page(view, parts(view)));
      };
      const dashboard: Dashboard = { ...context, snapshots, live, send, sendBare };
      await app.register(async (scope: App) => {
        await scope.register(formbody);
        assets.register(scope);
        loginRoutes(scope, dashboard);
        pageRoutes(scope, dashboard);
        actRoutes(scope, dashboard);
      });
    },
    stop: () => live?.stop(),
  };
}

function viewOf(request: FastifyRequest, { callers }: AdminPagesContext, assets: View['assets']): View {
  const caller = callers.of(request);
  if (caller === undefined) throw new Error('a page is for who is known');
  const { done } = request.query as { readonly done?: unknown };
  return { caller, assets, done: typeof done === 'string' && done !== '' ? done.slice(0, 500) : undefined };
}

/** What programs ask for under /admin/ is answered as programs read it. */
function wantsPage(request: FastifyRequest): boolean {
  return !request.url.startsWith('/admin/') && request.headers.accept?.includes('text/html') === true;
}

function failurePage(
  request: FastifyRequest,
  reply: FastifyReply,
  error: TryItNowError,
  sendBare: Dashboard['sendBare'],
): FastifyReply {
  const { method, url } = request;
  const back = method === 'GET' ? url : '/';
  if (error.code === 'key_missing' || error.code === 'operator_key_unset') return reply.redirect(toLogin(back), 303);
  problemHeaders(reply, error);
  return sendBare(reply, 'That did not work', failureBody(error, error.retryable ? back : '/', request.id));
}
