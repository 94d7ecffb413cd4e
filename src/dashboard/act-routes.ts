import type { FastifyRequest } from 'fastify';
import { ERROR_CATALOGUE, TryItNowError, type ErrorCode } from '../domain/errors.ts';
import { FORM_TOKEN_HEADER, requireFormToken } from '../http/admin/callers.ts';
import type { App } from '../http/context.ts';
import { field } from '../http/field.ts';
import { stripControlCharacters } from '../presentation/plain-text.ts';
import { actNamed, type Act } from './actions.ts';
import type { Dashboard } from './context.ts';
import type { Fields } from './form-fields.ts';
import { confirmPage } from './pages/entry.ts';

type Answer = Readonly<Record<string, unknown>>;

/** What buttons do: each asks what the command asks, and then makes the call of the API that the command makes. */
export function actRoutes(app: App, dashboard: Dashboard): void {
  const { callers, snapshots } = dashboard;
  // The API's own route asks for the role that the action needs.
  app.post<{ Params: { act: string } }>(
    '/act/:act',
    { config: { role: 'viewer', form: true } },
    async (request, reply) => {
      const caller = callers.of(request);
      if (caller !== undefined) requireFormToken(caller, field(request.body, 'token'));
      const name = request.params.act;
      const act = actNamed(name);
      if (act === undefined)
        throw new TryItNowError('unknown_route', `There is no action ${JSON.stringify(name.slice(0, 40))}`);
      const { on = '', sure, ...fields } = fieldsOf(request.body);
      const question = act.question?.(on, fields);
      if (question !== undefined && sure !== 'yes')
        return dashboard.send(request, reply, () => ({
          title: act.button,
          place: act.back(on),
          body: confirmPage(act, name, question, fieldsOf(request.body), on),
        }));
      const answer = await call(app, request, act, on, fields);
      snapshots.forget();
      const done = stripControlCharacters(act.done(on, answer)).slice(0, 400);
      return reply.redirect(`${act.back(on)}?${new URLSearchParams({ done }).toString()}`, 303);
    },
  );
}

/** As the browser itself would ask, so that its role, its checks and its entry in the audit log are the API's own. */
async function call(app: App, request: FastifyRequest, act: Act, on: string, fields: Fields): Promise<Answer> {
  const { method, path, body } = act.call(on, fields);
  const { cookie, host } = request.headers;
  const answer = await app.inject({
    method,
    url: `/admin/v1${path}`,
    remoteAddress: request.ip,
    headers: {
      ...(cookie === undefined ? {} : { cookie }),
      ...(host === undefined ? {} : { host }),
      'sec-fetch-site': 'same-origin',
      [FORM_TOKEN_HEADER]: field(request.body, 'token') ?? '',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  const said = answer.payload === '' ? {} : answer.json<Answer>();
  if (answer.statusCode < 400) return said;
  const { code, detail } = said;
  const known =
    typeof code === 'string' && Object.hasOwn(ERROR_CATALOGUE, code) ? (code as ErrorCode) : 'internal_error';
  throw new TryItNowError(known, String(detail));
}

function fieldsOf(body: unknown): Fields {
  if (typeof body !== 'object' || body === null) return {};
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
