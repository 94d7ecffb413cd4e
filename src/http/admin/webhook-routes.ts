import type { App } from '../context.ts';
import type { Callers } from './callers.ts';
import { JobBody, jobBody, whoAsks } from './job-routes.ts';
import type { DeadEvent, WebhookOperators, WebhookSnapshot } from './operators.ts';
import { limitOf, operatorProblems } from './problems.ts';
import {
  EmptyBody,
  DeadEventsBody,
  LimitQuery,
  NoQuery,
  ReplayBody,
  WebhookParams,
  WebhookTestBody,
  WebhooksBody,
} from './schemas.ts';
import { isoTime } from './times.ts';

const tags = ['webhooks'];
const LIMIT = { usual: 50, most: 1_000 };

/** How deliveries to webhooks go, and what an operator does about them. */
export function webhookRoutes(app: App, operators: WebhookOperators, callers: Callers): void {
  app.get(
    '/admin/v1/webhooks',
    {
      schema: {
        tags,
        operationId: 'webhooks',
        summary: 'How deliveries to the webhooks go',
        querystring: NoQuery,
        response: { 200: WebhooksBody, ...operatorProblems('queue_unavailable') },
      },
    },
    async () => {
      const { outbox, webhooks } = await operators.webhooks();
      return {
        outbox: { waiting: outbox.waiting, dropped: outbox.dropped, oldest_at: isoTime(outbox.oldestAtMs) },
        webhooks: webhooks.map(webhookBody),
      };
    },
  );

  app.get(
    '/admin/v1/webhooks/dead',
    {
      schema: {
        tags,
        operationId: 'deadEvents',
        summary: 'Events that a webhook did not take, oldest first',
        querystring: LimitQuery,
        response: { 200: DeadEventsBody, ...operatorProblems('queue_unavailable') },
      },
    },
    async (request) => {
      const dead = await operators.deadEvents(limitOf('limit', request.query.limit, LIMIT.usual, LIMIT.most));
      return { dead: dead.map(deadBody) };
    },
  );
  actionRoutes(app, operators, callers);
}

function actionRoutes(app: App, operators: WebhookOperators, callers: Callers): void {
  app.post(
    '/admin/v1/webhooks/:webhook/test',
    {
      config: { audit: 'webhooks.test' },
      schema: {
        tags,
        operationId: 'testWebhook',
        summary: 'Send a test, once and now',
        description: 'Its type is `webhook.test`. What the receiver makes of it is the answer.',
        params: WebhookParams,
        body: EmptyBody,
        response: { 200: WebhookTestBody, ...operatorProblems('unknown_webhook') },
      },
    },
    async (request) => {
      const outcome = await operators.testWebhook(request.params.webhook);
      return outcome.kind === 'taken'
        ? { taken: true, status: outcome.status, reason: null, took_ms: outcome.tookMs }
        : { taken: false, status: null, reason: outcome.reason, took_ms: outcome.tookMs };
    },
  );

  app.post(
    '/admin/v1/webhooks/:webhook/replay',
    {
      config: { audit: 'webhooks.replay' },
      schema: {
        tags,
        operationId: 'replayWebhook',
        summary: 'Deliver again what is dead, or what happened within some time',
        description: 'With the ids they had, after what is waiting already. `/admin/v1/jobs` says how far it is.',
        params: WebhookParams,
        body: ReplayBody,
        response: { 202: JobBody, ...operatorProblems('unknown_webhook', 'job_running') },
      },
    },
    (request, reply) => {
      const { within_seconds: within } = request.body;
      const withinMs = within === undefined ? undefined : within * 1_000;
      const job = operators.replayWebhook(request.params.webhook, withinMs, whoAsks(callers, request));
      reply.code(202);
      return jobBody(job);
    },
  );
}

function webhookBody(webhook: WebhookSnapshot) {
  const { name, origin, events, place, lost, lostAtMs, deliveredAtMs, failedAtMs, failure, failuresInARow } = webhook;
  return {
    name,
    origin,
    events: [...events],
    pending: place === undefined ? null : place.pending + place.inHands,
    dead: place?.dead ?? 0,
    lost,
    lost_at: isoTime(lostAtMs),
    delivered_at: isoTime(deliveredAtMs),
    failed_at: isoTime(failedAtMs),
    failure: failure ?? null,
    failures_in_a_row: failuresInARow,
  };
}

function deadBody({ sequence, webhook, id, type, visit, reason, attempts, diedAtMs }: DeadEvent) {
  return {
    sequence,
    webhook,
    id: id ?? null,
    type: type === undefined ? null : `visit.${type}`,
    visit: visit ?? null,
    reason,
    attempts,
    died_at: isoTime(diedAtMs),
  };
}
