import type { WebhooksOverview } from '../../pool/operate-webhooks.ts';
import type { OperatorJob } from '../../domain/operator-job.ts';
import type { CatalogueState, DeadEvent } from '../../http/admin/operators.ts';
import { isOutboxLate } from '../../domain/outbox-delay.ts';
import { html, type Html } from '../../presentation/html.ts';
import { ago, badge, empty, facts, liveBlock, notice, said, section, shown, table } from '../elements.ts';
import { actForm, actions, input } from '../forms.ts';
import type { View } from '../layout.ts';
import type { Part } from '../snapshot.ts';
import { jobList, jobsElsewhere } from './checkpoints.ts';

export function webhooksPage(
  view: View,
  {
    overview,
    dead,
    jobs,
    catalogue,
  }: {
    readonly overview: Part<WebhooksOverview>;
    readonly dead: Part<readonly DeadEvent[]>;
    readonly jobs: readonly OperatorJob[];
    readonly catalogue: Part<CatalogueState>;
  },
): Html {
  return html`${shown(overview, ({ webhooks, outbox }) =>
    webhooks.length === 0
      ? empty(html`No webhook is configured. WEBHOOKS_FILE names those who are to be told what happens in visits.`)
      : html`${late(outbox) && notice('warn', `${outbox.waiting} changes of visits wait for NATS.`)}
${outbox.dropped > 0 && notice('bad', `${outbox.dropped} events were dropped: NATS was gone for too long.`)}
${webhooks.map((webhook) => one(view, webhook))}`,
  )}
${section(
  'What operators have delivered again',
  html`${liveBlock('jobs.webhooks', jobList(jobs, 'webhooks.'))}
${liveBlock('jobs.webhooks.elsewhere', jobsElsewhere(catalogue, 'webhooks.'))}`,
)}
${section(
  'Events that were not taken',
  shown(dead, (events) =>
    table(
      'Events that a webhook did not take',
      ['Webhook', 'Type', 'Visit', 'Tries', 'Given up', 'Why'],
      events.map(({ webhook, type, visit, attempts, diedAtMs, reason }) => [
        said(webhook),
        type === undefined ? 'unreadable' : `visit.${type}`,
        html`<span class="id">${said(visit ?? '')}</span>`,
        attempts,
        ago(diedAtMs),
        said(reason),
      ]),
      'No event is dead.',
    ),
  ),
)}`;
}

function late({ oldestAtMs }: WebhooksOverview['outbox']): boolean {
  return isOutboxLate(oldestAtMs, Date.now());
}

function one(view: View, webhook: WebhooksOverview['webhooks'][number]): Html {
  const { name, origin, events, place, lost, lostAtMs, deliveredAtMs, failedAtMs, failure, failuresInARow } = webhook;
  return section(
    name,
    html`${facts([
      ['State', failuresInARow > 0 ? badge(`${failuresInARow} failures in a row`, 'bad') : badge('in order', 'good')],
      ['At', html`<code>${said(origin)}</code>`],
      ['Told of', events.join(', ')],
      ['Waiting', place === undefined ? 'not known yet' : place.pending + place.inHands],
      ['Dead', place?.dead ?? 0],
      [
        'Lost',
        lost === 0 ? 0 : html`${badge(String(lost), 'bad')} discarded before it had them, the last ${ago(lostAtMs)}`,
      ],
      ['Delivered', ago(deliveredAtMs)],
      ['Failed', ago(failedAtMs)],
      ['Why then', failure === undefined ? undefined : said(failure)],
    ])}${actions(view, [
      actForm(view, 'webhooks.test', { on: name, label: `Send a test to ${name}` }),
      actForm(view, 'webhooks.replay', {
        on: name,
        inputs: input('within', 'What happened within (empty: what is dead)', { hint: '2h' }),
        label: `Deliver to ${name} again`,
      }),
    ])}`,
  );
}
