import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import type { OperatorJob } from '../../domain/operator-job.ts';
import type { App } from '../context.ts';
import type { Callers } from './callers.ts';
import type { DoctorOperators } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { EmptyBody, NoQuery } from './schemas.ts';
import { isoTime } from './times.ts';

export const JobBody = Type.Object(
  {
    id: Type.Integer(),
    action: Type.String({ description: 'As in the audit log.' }),
    on: Type.String(),
    who: Type.String(),
    started_at: Type.String({ format: 'date-time' }),
    ended_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    state: Type.Enum(['running', 'done', 'failed']),
    said: Type.String({ description: 'The step it is at; at its end what came of it, or why nothing did.' }),
  },
  { description: 'Something that goes on in the server that was asked.' },
);
export const JobsBody = Type.Object({ jobs: Type.Array(JobBody) }, { description: 'The newest first.' });
const DiagnosedBody = Type.Object(
  {
    at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    checks: Type.Array(
      Type.Object({
        part: Type.String(),
        check: Type.String(),
        verdict: Type.Enum(['ok', 'warning', 'failure', 'not_looked_at']),
        seen: Type.String(),
        remedy: Type.Union([Type.String(), Type.Null()]),
      }),
    ),
  },
  { description: 'What it found the last time; `at` is null where it has not run since the server started.' },
);

const tags = ['doctor'];

/** Long work that goes on in this server, and doctor, which is one such. */
export function jobRoutes(app: App, operators: DoctorOperators, callers: Callers): void {
  app.get(
    '/admin/v1/jobs',
    {
      schema: {
        tags,
        operationId: 'listJobs',
        summary: 'Long work that operators began here',
        querystring: NoQuery,
        response: { 200: JobsBody, ...operatorProblems() },
      },
    },
    () => ({ jobs: operators.jobs().map(jobBody) }),
  );
  app.get(
    '/admin/v1/doctor',
    {
      schema: {
        tags,
        operationId: 'diagnosed',
        summary: 'What doctor found the last time it ran here',
        querystring: NoQuery,
        response: { 200: DiagnosedBody, ...operatorProblems() },
      },
    },
    () => {
      const { atMs, findings = [] } = operators.diagnosed() ?? {};
      return {
        at: atMs === undefined ? null : isoTime(atMs),
        checks: findings.map(({ part, what, verdict, seen, remedy }) => ({
          ...{ part, check: what, verdict, seen },
          remedy: remedy ?? null,
        })),
      };
    },
  );
  app.post(
    '/admin/v1/doctor',
    {
      config: { audit: 'doctor.run' },
      schema: {
        tags,
        operationId: 'diagnose',
        summary: 'Look at every part of the deployment from this host',
        description: 'It changes nothing but for a trial of checkpoints, of which it leaves nothing.',
        body: EmptyBody,
        response: { 202: JobBody, ...operatorProblems('job_running') },
      },
    },
    (request, reply) => {
      const job = operators.diagnose(whoAsks(callers, request));
      reply.code(202);
      return jobBody(job);
    },
  );
}

export function jobBody({ startedAtMs, endedAtMs, ...job }: OperatorJob): Static<typeof JobBody> {
  return { ...job, started_at: isoTime(startedAtMs), ended_at: endedAtMs === undefined ? null : isoTime(endedAtMs) };
}

export function whoAsks(callers: Callers, request: FastifyRequest): string {
  return callers.of(request)?.who ?? 'nobody';
}
