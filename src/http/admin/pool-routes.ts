import type { App } from '../context.ts';
import type { PoolOperators, PoolSnapshot } from './operators.ts';
import { isoTime, wholeSeconds } from './times.ts';
import { operatorProblems } from './problems.ts';
import {
  DrainBody,
  EmptyBody,
  NoQuery,
  PauseBody,
  PoolBody,
  PoolsBody,
  TargetBody,
  TemplateParams,
} from './schemas.ts';

const tags = ['pools'];
const answer = { 200: PoolBody, ...operatorProblems('unknown_template') };

/** How the pools do, and what an operator decides about them. */
export function poolRoutes(app: App, operators: PoolOperators): void {
  app.get(
    '/admin/v1/pools',
    {
      schema: {
        tags,
        operationId: 'listPools',
        summary: 'Every pool, with what was decided about it',
        querystring: NoQuery,
        response: { 200: PoolsBody, ...operatorProblems() },
      },
    },
    async () => ({ pools: (await operators.pools()).map(poolBody) }),
  );

  openingRoutes(app, operators);

  app.put(
    '/admin/v1/pools/:template/target',
    {
      config: { audit: 'pool.scale' },
      schema: {
        tags,
        operationId: 'scalePool',
        summary: 'How many should stand ready',
        description:
          'In place of the configured target, or of what the pool itself would have, also after a restart; `null` ' +
          'goes back to that. Idle instances above a lower target are handed out, not discarded.',
        params: TemplateParams,
        body: TargetBody,
        response: answer,
      },
    },
    async ({ params, body: { target, for_seconds: seconds } }) =>
      poolBody(
        await operators.setTarget(
          params.template,
          target ?? undefined,
          seconds === undefined ? undefined : seconds * 1000,
        ),
      ),
  );
}

/** Whether a pool hands out. */
function openingRoutes(app: App, operators: PoolOperators): void {
  app.post(
    '/admin/v1/pools/:template/pause',
    {
      config: { audit: 'pool.pause' },
      schema: {
        tags,
        operationId: 'pausePool',
        summary: 'Hand nothing out for now',
        description: 'Idle instances stay warm, visitors keep what they have, and it holds through restarts.',
        params: TemplateParams,
        body: PauseBody,
        response: answer,
      },
    },
    async (request) => poolBody(await operators.pause(request.params.template, request.body.reason)),
  );

  app.post(
    '/admin/v1/pools/:template/drain',
    {
      config: { audit: 'pool.drain' },
      schema: {
        tags,
        operationId: 'drainPool',
        summary: 'Empty a pool',
        description:
          'As a pause, and the idle instances are removed. What visitors hold runs out by itself, or ends ' +
          '`within_seconds`. `assigned` in GET /admin/v1/pools tells how many are left.',
        params: TemplateParams,
        body: DrainBody,
        response: answer,
      },
    },
    async (request) => {
      const { within_seconds: within, reason } = request.body;
      return poolBody(
        await operators.drain(request.params.template, within === undefined ? undefined : within * 1000, reason),
      );
    },
  );

  app.post(
    '/admin/v1/pools/:template/resume',
    {
      config: { audit: 'pool.resume' },
      schema: {
        tags,
        operationId: 'resumePool',
        summary: 'End a pause or a drain',
        params: TemplateParams,
        body: EmptyBody,
        response: answer,
      },
    },
    async (request) => poolBody(await operators.resume(request.params.template)),
  );
}

function poolBody(pool: PoolSnapshot) {
  const { template, mode, sinceMs, deadlineMs, reason, stats, configuredTarget, breaker, size } = pool;
  const { ready, assigned, warming, leaving, waiting, target, capacity } = stats;
  return {
    template,
    mode,
    since: isoTime(sinceMs),
    deadline: isoTime(deadlineMs),
    reason: reason ?? null,
    ready,
    assigned,
    warming,
    leaving,
    waiting,
    target,
    configured_target: configuredTarget,
    operator_target: pool.target ?? null,
    operator_target_until: isoTime(pool.targetUntilMs),
    size: size === undefined ? null : sizeBody(size),
    capacity,
    breaker: { open: breaker.open, failures: breaker.failures, retry_in_seconds: wholeSeconds(breaker.pauseMs) },
  };
}

function sizeBody({
  target,
  need,
  reason,
  bound,
  why,
  clicksPerMinute,
  leadMs,
  lastWeek,
}: NonNullable<PoolSnapshot['size']>) {
  return {
    ...{ target, need, reason, bound: bound ?? null, why },
    ...{ clicks_per_minute: clicksPerMinute, start_seconds: leadMs / 1000, last_week: lastWeek },
  };
}
