import type { FailureReport } from '../../domain/failure-report.ts';
import type { App } from '../context.ts';
import type { PoolOperators } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { FailuresBody, NoQuery, TemplateParams } from './schemas.ts';
import { isoTime } from './times.ts';

/** Why instances of a template do not come up. */
export function failureRoutes(app: App, operators: PoolOperators): void {
  app.get(
    '/admin/v1/pools/:template/failures',
    {
      schema: {
        tags: ['pools'],
        operationId: 'poolFailures',
        summary: 'Why the last attempts at an instance failed',
        description:
          'With what to do about it and the end of what the app wrote. Kept for a week. `unready` tells of one that ' +
          'is being started, while what keeps it from being ready shows.',
        params: TemplateParams,
        querystring: NoQuery,
        response: { 200: FailuresBody, ...operatorProblems('unknown_template') },
      },
    },
    async (request) => {
      const { failures, unready } = await operators.failures(request.params.template);
      return { failures: failures.map(failureBody), unready: unready === undefined ? null : failureBody(unready) };
    },
  );
}

export function failureBody({ instance, template, node, atMs, code, reason, remedy, ...end }: FailureReport) {
  const { exitCode, signal, output } = end;
  return { instance, template, node, at: isoTime(atMs), code, reason, remedy, exit_code: exitCode, signal, output };
}
