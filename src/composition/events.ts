import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { Loop } from '../lifecycle/loop.ts';
import { publishEvents } from '../pool/publish-events.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { forgetDeliveredLeads } from '../queue/forget-leads.ts';
import { JetStreamEvents } from '../queue/event-stream.ts';
import { JetStreamWebhookAdmin } from '../queue/webhook-admin.ts';
import { JetStreamWebhookFeed } from '../queue/webhook-feed.ts';
import type { Store } from '../store/store.ts';
import type { EventDepths } from '../telemetry/event-gauges.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { WebhookDelivery } from '../webhooks/deliver.ts';
import { WEBHOOK_POLICY } from '../webhooks/policy.ts';
import type { Poster } from '../webhooks/post.ts';

/** Some 30 MiB at Valkey: hours of a busy site without NATS. */
export const OUTBOX_LIMIT = 100_000;
/** How old an event may get on its way to the stream. */
const PUBLISH_INTERVAL_MS = 500;
/** How soon another process is asked whether it still delivers. */
const DELIVERY_INTERVAL_MS = 2_000;
/** How long what a visitor told stays in NATS once every webhook has had it. */
const FORGET_INTERVAL_MS = 60_000;
/** Another process does it when this one has missed a round. */
const FORGETS_FOR_MS = 2 * FORGET_INTERVAL_MS;

export interface EventPartsOptions {
  readonly webhooks: Config['webhooks'];
  readonly store: Pick<Store, 'outbox' | 'turns' | 'webhookStatuses'>;
  readonly connection: QueueConnection;
  readonly metrics: Metrics;
  readonly poster: Poster;
  readonly log: Log;
}

/** What brings events to the webhooks; without any, nothing is written down. */
export function createEventLoops({ webhooks, store, connection, metrics, poster, log }: EventPartsOptions): Loop[] {
  if (webhooks.length === 0) return [];
  const { outbox, turns, webhookStatuses: statuses } = store;
  const eventStream = new JetStreamEvents({ connection, log });
  const publisher = new Loop({ name: 'event publisher', intervalMs: PUBLISH_INTERVAL_MS, log }, (signal) =>
    publishEvents({ outbox, eventStream, eventObserver: metrics, outboxLimit: OUTBOX_LIMIT, log }, signal),
  );
  const { ackWaitMs, window } = WEBHOOK_POLICY;
  const deliveries = webhooks.map((webhook) => {
    const { name } = webhook;
    const delivery = new WebhookDelivery({
      webhook,
      feed: new JetStreamWebhookFeed({ connection, webhook: name, ackWaitMs, window }),
      turn: turns.of(`webhook-${name}`),
      post: poster.post,
      statuses,
      observer: metrics,
      policy: WEBHOOK_POLICY,
      clock: systemClock,
      log,
    });
    return new Loop({ name: `webhook ${name}`, intervalMs: DELIVERY_INTERVAL_MS, log }, (signal) =>
      delivery.round(signal),
    );
  });
  const takers = webhooks.filter(({ events }) => events.includes('lead_given')).map(({ name }) => name);
  const forgetting = turns.of('delivered-leads');
  const forgetter = new Loop({ name: 'delivered leads', intervalMs: FORGET_INTERVAL_MS, log }, async () => {
    if (connection.connected && (await forgetting.take(FORGETS_FOR_MS))) await forgetDeliveredLeads(connection, takers);
  });
  return [publisher, ...deliveries, ...(takers.length > 0 ? [forgetter] : [])];
}

/** Less than a scrape waits. */
const PLACE_MS = 1_000;

/** For the metrics; undefined where nobody is told anything. */
export function eventDepths(
  webhooks: Config['webhooks'],
  { outbox, webhookStatuses }: Pick<Store, 'outbox' | 'webhookStatuses'>,
  connection: QueueConnection,
): (() => Promise<EventDepths>) | undefined {
  if (webhooks.length === 0) return undefined;
  const admin = new JetStreamWebhookAdmin(connection);
  return async () => {
    const { waiting, dropped, oldestAtMs } = await outbox.state();
    // NATS may be away or hang, which the outbox, in Valkey, tells.
    const place = (name: string) => withDeadline(PLACE_MS, admin.place(name), () => undefined).catch(() => undefined);
    const places = await Promise.all(webhooks.map(async ({ name }) => ({ name, place: await place(name) })));
    const losses = await Promise.all(
      webhooks.map(async ({ name }) => [name, (await webhookStatuses.read(name)).lost] as const),
    );
    return {
      waiting,
      dropped,
      lost: new Map(losses),
      oldestAgeMs: oldestAtMs === undefined ? 0 : Math.max(0, systemClock.now() - oldestAtMs),
      webhooks: new Map(
        places.flatMap(({ name, place }) =>
          place === undefined ? [] : [[name, { pending: place.pending + place.inHands, dead: place.dead }]],
        ),
      ),
    };
  };
}
