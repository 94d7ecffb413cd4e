import type { AuditLog } from '../../pool/interfaces/audit-log.ts';
import type { App } from '../context.ts';
import { limitOf, operatorProblems } from './problems.ts';
import { AuditBody, LimitQuery } from './schemas.ts';
import { isoTime } from './times.ts';

const LIMIT = { usual: 50, most: 10_000 };

/** Who did what, the newest first. */
export function auditRoutes(app: App, audit: AuditLog): void {
  app.get(
    '/admin/v1/audit',
    {
      schema: {
        tags: ['audit'],
        operationId: 'auditLog',
        summary: 'What operators did, newest first',
        querystring: LimitQuery,
        response: { 200: AuditBody, ...operatorProblems() },
      },
    },
    async (request) => {
      const entries = await audit.recent(limitOf('limit', request.query.limit, LIMIT.usual, LIMIT.most));
      return {
        entries: entries.map(({ atMs, who, action, on, outcome }) => ({ at: isoTime(atMs), who, action, on, outcome })),
      };
    },
  );
}
