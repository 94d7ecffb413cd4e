import { isOutboxLate } from '../domain/outbox-delay.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { EventOutbox } from '../pool/interfaces/event-outbox.ts';
import type { WebhookAdmin } from '../pool/interfaces/webhook-admin.ts';
import type { WebhookStatuses } from '../pool/interfaces/webhook-statuses.ts';
import { failure, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'Webhooks';
/** As long as events are kept: what is lost is told of for so long. */
const LOST_TOLD_MS = 7 * 24 * 3_600_000;

export interface WebhookCheckDeps {
  readonly webhooks: readonly Webhook[];
  readonly store: Shared<{ readonly outbox: Pick<EventOutbox, 'state'>; readonly webhookStatuses: WebhookStatuses }>;
  readonly admin: () => Promise<WebhookAdmin>;
}

/** Whether what happens in visits gets to NATS, and from there to the webhooks; nothing where there are none. */
export function webhookChecks({ webhooks, store, admin }: WebhookCheckDeps): Check[] {
  if (webhooks.length === 0) return [];
  return [
    { part: PART, what: 'outbox', run: async () => [outbox(await (await store.need()).outbox.state())] },
    ...webhooks.map(({ name }): Check => ({
      part: PART,
      what: name,
      run: async () => {
        const { webhookStatuses } = await store.need();
        return [receiver(name, await (await admin()).place(name), await webhookStatuses.read(name))];
      },
    })),
  ];
}

function outbox({ waiting, dropped, limit, oldestAtMs }: Awaited<ReturnType<EventOutbox['state']>>): Observation {
  const seen = `${waiting} changes wait for NATS, ${dropped} were dropped`;
  if (limit === 0)
    return failure(
      'outbox',
      'nothing is written down',
      'Start the server with WEBHOOKS_FILE set (`systemctl restart try-it-now`).',
    );
  return isOutboxLate(oldestAtMs, Date.now()) || dropped > 0
    ? warning('outbox', seen, 'See what NATS lacks, above, and that a server with webhooks runs (docs/webhooks.md).')
    : ok('outbox', seen);
}

function receiver(
  name: string,
  place: Awaited<ReturnType<WebhookAdmin['place']>>,
  { failuresInARow, failure: reason, lost, lostAtMs }: Awaited<ReturnType<WebhookStatuses['read']>>,
): Observation {
  if (place === undefined)
    return failure(
      name,
      'has no place in the stream',
      'Start the server, which makes it (`systemctl start try-it-now`).',
    );
  const isLost = lostAtMs !== undefined && Date.now() - lostAtMs < LOST_TOLD_MS;
  const loss = isLost ? `, ${lost} were discarded before it had them` : '';
  const seen = `${place.pending + place.inHands} events wait, ${place.dead} are dead${loss}`;
  if (failuresInARow > 0)
    return warning(
      name,
      `${seen}; ${failuresInARow} failures in a row: ${reason ?? '?'}`,
      `Repair its receiver, and try: \`try-it-now webhooks test ${name}\`.`,
    );
  if (isLost)
    return warning(
      name,
      seen,
      'Those are lost to it. Get its figures from the funnel, and what visitors told from ' +
        '`try-it-now webhooks dead` (docs/webhooks.md).',
    );
  return place.dead > 0
    ? warning(name, seen, `See \`try-it-now webhooks dead\`, then \`try-it-now webhooks replay ${name} --dead\`.`)
    : ok(name, seen);
}
