import Type from 'typebox';
import { TryItNowError } from '../../domain/errors.ts';
import { OPERATOR_ROLES } from '../../domain/operator-role.ts';
import type { OperatorSessions } from '../../pool/interfaces/operator-sessions.ts';
import type { App } from '../context.ts';
import { operatorProblems } from './problems.ts';
import { NoQuery } from './schemas.ts';
import { isoTime } from './times.ts';

const Time = (description: string) => Type.String({ format: 'date-time', description });
export const SessionsBody = Type.Object(
  {
    sessions: Type.Array(
      Type.Object({
        id: Type.String({ description: 'Names it; opens nothing.' }),
        who: Type.String({ description: 'As in the audit log.' }),
        role: Type.Enum([...OPERATOR_ROLES]),
        from: Type.String({ description: 'The address of the browser.' }),
        since: Time('When they logged in.'),
        until: Time('When it ends by itself.'),
      }),
    ),
  },
  { description: 'The newest first.' },
);
const SessionParams = Type.Object({ session: Type.String({ description: 'Its id, as listed.' }) });

const tags = ['sessions'];

/** Who is logged in to the dashboard. */
export function sessionRoutes(app: App, sessions: OperatorSessions): void {
  app.get(
    '/admin/v1/sessions',
    {
      config: { role: 'admin' },
      schema: {
        tags,
        operationId: 'listSessions',
        summary: 'Who is logged in to the dashboard',
        querystring: NoQuery,
        response: { 200: SessionsBody, ...operatorProblems() },
      },
    },
    async () => ({
      sessions: (await sessions.list()).map(({ id, who, role, from, sinceMs, untilMs }) => ({
        ...{ id, who, role, from },
        since: isoTime(sinceMs),
        until: isoTime(untilMs),
      })),
    }),
  );
  app.delete(
    '/admin/v1/sessions/:session',
    {
      config: { audit: 'sessions.end' },
      schema: {
        tags,
        operationId: 'endSession',
        summary: 'Log somebody out',
        description: 'Pages that they have open stop telling of changes within seconds.',
        params: SessionParams,
        response: {
          204: { type: 'null', description: 'It has ended.' },
          ...operatorProblems('unknown_session'),
        },
      },
    },
    async (request, reply) => {
      if (!(await sessions.end(request.params.session)))
        throw new TryItNowError('unknown_session', 'There is no such login; it may have ended by itself');
      reply.code(204);
      return null;
    },
  );
}
