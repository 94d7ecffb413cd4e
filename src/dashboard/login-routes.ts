import type { FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import { requireFormToken } from '../http/admin/callers.ts';
import type { App } from '../http/context.ts';
import type { Dashboard } from './context.ts';
import { field } from '../http/field.ts';
import { loginPage } from './pages/entry.ts';

/** The page to log in at, which leads to `next` afterwards. */
export function toLogin(next: string): string {
  return next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`;
}

/** How browsers come in, and out again. */
export function loginRoutes(app: App, dashboard: Dashboard): void {
  const { callers, log } = dashboard;
  const show = (reply: FastifyReply, next: string, trouble?: string) =>
    dashboard.sendBare(reply, 'Log in', loginPage({ next: ownPath(next), trouble }));

  app.get('/login', { config: { anyone: true } }, (request, reply) => show(reply, field(request.query, 'next') ?? '/'));

  app.post('/login', { config: { anyone: true } }, async (request, reply) => {
    callers.requireOwnPage(request);
    const next = field(request.body, 'next') ?? '/';
    try {
      const { who, role } = callers.withKey(field(request.body, 'key')?.trim(), request);
      await callers.open({ who, role }, request, reply);
      log.info({ audit: true, who, role, from: request.ip }, 'Operator logged in');
      return await reply.redirect(ownPath(next), 303);
    } catch (error) {
      if (!(error instanceof TryItNowError)) throw error;
      reply.code(error.status);
      return show(reply, next, reasonOf(error));
    }
  });

  app.post('/logout', { config: { role: 'viewer', form: true } }, async (request, reply) => {
    await logOut(request, reply, dashboard);
    return reply.redirect('/login', 303);
  });
}

async function logOut(request: FastifyRequest, reply: FastifyReply, { callers }: Dashboard): Promise<void> {
  const caller = callers.of(request);
  if (caller !== undefined) requireFormToken(caller, field(request.body, 'token'));
  await callers.close(request, reply);
}

function reasonOf({ code, message }: TryItNowError): string {
  if (code === 'key_wrong')
    return 'This key is not one that this server accepts; look for a typo, or a key that was replaced.';
  if (code === 'key_missing') return 'Enter your operator key.';
  return `${message}.`;
}

/** Nobody is led to another site. */
function ownPath(next: string): string {
  return /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.startsWith('/login') ? next : '/';
}
