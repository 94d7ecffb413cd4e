import type { Clock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { EventOutbox, OutboxState } from './interfaces/event-outbox.ts';
import type { DeadEvent, ReplayFollower, WebhookAdmin, WebhookPlace } from './interfaces/webhook-admin.ts';
import type { WebhookStatus, WebhookStatuses } from './interfaces/webhook-statuses.ts';

/** What came of a test. */
export type WebhookTest =
  | { readonly kind: 'taken'; readonly status: number; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly tookMs: number };

export interface OperateWebhooksDeps {
  readonly webhooks: readonly Webhook[];
  readonly webhookAdmin: WebhookAdmin;
  readonly webhookStatuses: WebhookStatuses;
  readonly outbox: Pick<EventOutbox, 'state'>;
  readonly sendTest: (webhook: Webhook) => Promise<WebhookTest>;
  readonly clock: Clock;
}

export interface WebhookSnapshot extends WebhookStatus {
  readonly name: string;
  /** Scheme and host alone: what follows may be somebody's secret. */
  readonly origin: string;
  readonly events: readonly string[];
  /** Undefined while no server has made it. */
  readonly place: WebhookPlace | undefined;
}

export interface WebhooksOverview {
  readonly webhooks: readonly WebhookSnapshot[];
  readonly outbox: OutboxState;
}

/** Throws store_unavailable, queue_unavailable. */
export async function listWebhooks({
  webhooks,
  webhookAdmin,
  webhookStatuses,
  outbox,
}: OperateWebhooksDeps): Promise<WebhooksOverview> {
  return {
    outbox: await outbox.state(),
    webhooks: await Promise.all(
      webhooks.map(async ({ name, url, events }) => ({
        name,
        origin: new URL(url).origin,
        events,
        place: await webhookAdmin.place(name),
        ...(await webhookStatuses.read(name)),
      })),
    ),
  };
}

/** Throws unknown_webhook. */
export async function testWebhook(deps: OperateWebhooksDeps, name: string): Promise<WebhookTest> {
  return deps.sendTest(webhookNamed(deps, name));
}

/** `sinceMs`: how far back; undefined: the dead ones. Throws replay_too_large, queue_unavailable, shutting_down. */
export async function replayWebhook(
  { webhooks, webhookAdmin, clock }: Pick<OperateWebhooksDeps, 'webhooks' | 'webhookAdmin' | 'clock'>,
  webhook: Webhook,
  sinceMs: number | undefined,
  follower: ReplayFollower,
): Promise<number> {
  const all = webhooks.map((each) => each.name);
  return sinceMs === undefined
    ? webhookAdmin.replayDead(webhook.name, all, follower)
    : webhookAdmin.replaySince(webhook, clock.now() - sinceMs, all, follower);
}

/** Throws queue_unavailable. */
export function deadEvents({ webhookAdmin }: OperateWebhooksDeps, limit: number): Promise<readonly DeadEvent[]> {
  return webhookAdmin.deadEvents(limit);
}

/** Throws unknown_webhook. */
export function webhookNamed({ webhooks }: Pick<OperateWebhooksDeps, 'webhooks'>, name: string): Webhook {
  const found = webhooks.find((webhook) => webhook.name === name);
  if (found === undefined)
    throw new TryItNowError(
      'unknown_webhook',
      `There is no webhook named ${JSON.stringify(name.slice(0, 64))}; \`try-it-now webhooks list\` shows ` +
        'those there are',
    );
  return found;
}
