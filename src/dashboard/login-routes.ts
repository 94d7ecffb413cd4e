import type { FastifyReply } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import { requireFormToken } from '../http/admin/callers.ts';
import type { App } from '../http/context.ts';
import type { Dashboard } from './context.ts';
import { field } from '../http/field.ts';
import { OIDC_PATH, providerRoutes } from './oidc-routes.ts';
import { ownPath } from './own-path.ts';
import { loginPage, type LeftProvider } from './pages/entry.ts';
import { part } from './snapshot.ts';

/** The page to log in at, which leads to `next` afterwards. */
export function toLogin(next: string): string {
  return next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`;
}

/** How browsers come in, and out again. */
export function loginRoutes(app: App, dashboard: Dashboard): void {
  const { callers, log, entries, dashboardUrl = '' } = dashboard;
  const show = (reply: FastifyReply, next: string, more: { trouble?: string; left?: LeftProvider } = {}) =>
    dashboard.sendBare(
      reply,
      'Log in',
      loginPage({
        next: ownPath(next),
        byKey: entries.keys || entries.provider === undefined,
        // Where the provider sends browsers back to, they have to begin.
        provider: entries.provider && { name: entries.provider.name, path: `${dashboardUrl}${OIDC_PATH}` },
        ...more,
      }),
    );

  app.get('/login', { config: { anyone: true } }, async (request, reply) => {
    const left = field(request.query, 'left') === undefined ? undefined : await leftProvider(dashboard);
    return show(reply, field(request.query, 'next') ?? '/', left && { left });
  });

  app.post('/login', { config: { anyone: true } }, async (request, reply) => {
    callers.requireOwnPage(request);
    const next = field(request.body, 'next') ?? '/';
    try {
      const { who, role } = callers.toLogIn(field(request.body, 'key')?.trim(), request);
      await callers.open({ who, role }, request, reply);
      log.info({ audit: true, who, role, from: request.ip }, 'Operator logged in');
      return await reply.redirect(ownPath(next), 303);
    } catch (error) {
      if (!(error instanceof TryItNowError)) throw error;
      reply.code(error.status);
      return show(reply, next, { trouble: reasonOf(error) });
    }
  });

  app.post('/logout', { config: { role: 'viewer', form: true } }, async (request, reply) => {
    const caller = callers.of(request);
    if (caller !== undefined) requireFormToken(caller, field(request.body, 'token'));
    await callers.close(request, reply);
    return reply.redirect(caller?.session?.vouched === undefined ? '/login' : '/login?left=', 303);
  });
  if (entries.provider !== undefined) providerRoutes(app, dashboard, entries.provider);
}

/** For who logged out here and may still be logged in there; undefined while the provider cannot be asked. */
async function leftProvider({ entries: { provider } }: Dashboard): Promise<LeftProvider | undefined> {
  if (provider === undefined) return undefined;
  const url = await part(provider.logoutUrl());
  return { name: provider.name, url: 'value' in url ? url.value?.href : undefined };
}

function reasonOf({ code, message }: TryItNowError): string {
  if (code === 'key_wrong')
    return 'This key is not one that this server accepts; look for a typo, or a key that was replaced.';
  if (code === 'key_missing') return 'Enter your operator key.';
  return `${message}.`;
}
