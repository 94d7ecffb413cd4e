import { VISIT_STEPS } from '../../domain/visit-event.ts';
import type { App } from '../context.ts';
import type { FunnelOperators } from './operators.ts';
import { limitOf, operatorProblems } from './problems.ts';
import { DaysQuery, FunnelBody } from './schemas.ts';

/** As long as they are kept. */
const DAYS = { usual: 7, most: 90 };

/** What came of the clicks. */
export function funnelRoutes(app: App, operators: FunnelOperators): void {
  app.get(
    '/admin/v1/funnel',
    {
      schema: {
        tags: ['funnel'],
        operationId: 'funnel',
        summary: 'What came of the clicks, by template and embedding site',
        description:
          'Counted in UTC days, up to now, by every server together. Sites that are not in FUNNEL_SITES are one, ' +
          '`other`.',
        querystring: DaysQuery,
        response: { 200: FunnelBody, ...operatorProblems() },
      },
    },
    async (request) => {
      const days = limitOf('days', request.query.days, DAYS.usual, DAYS.most);
      const rows = await operators.funnel(days);
      return {
        days,
        rows: rows.map(({ template, site, steps, endedBy }) => ({
          template,
          site,
          steps: VISIT_STEPS.map((step) => ({ step, count: steps[step] })),
          ended_by: endedBy,
        })),
      };
    },
  );
}
