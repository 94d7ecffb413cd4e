import { expect, it } from 'vitest';
import type { Webhook } from '../domain/webhook.ts';
import type { OutboxState } from '../pool/interfaces/event-outbox.ts';
import type { WebhookPlace } from '../pool/interfaces/webhook-admin.ts';
import { Shared, runChecks } from './check.ts';
import { webhookChecks } from './webhooks.ts';

const CRM: Webhook = {
  name: 'crm',
  url: 'https://crm.example/hook',
  secrets: [],
  events: ['ended'],
  timeoutMs: 1_000,
  retryForMs: 1_000,
};
const EMPTY: OutboxState = { waiting: 0, dropped: 0, limit: 100, oldestAtMs: undefined };
const AT_EASE: WebhookPlace = { pending: 0, inHands: 0, dead: 0 };

interface Given {
  readonly webhooks?: readonly Webhook[];
  readonly outbox?: Partial<OutboxState>;
  readonly place?: Partial<WebhookPlace> | 'none';
  readonly failure?: { readonly failuresInARow: number; readonly failure?: string };
  readonly loss?: { readonly lost: number; readonly lostAtMs: number };
}

async function lines({ webhooks = [CRM], outbox = {}, place = {}, failure = { failuresInARow: 0 }, loss }: Given) {
  const none = () => Promise.reject(new Error('not asked for'));
  const checks = webhookChecks({
    webhooks,
    store: new Shared(
      () =>
        Promise.resolve({
          outbox: { state: () => Promise.resolve({ ...EMPTY, ...outbox }) },
          webhookStatuses: {
            read: () =>
              Promise.resolve({
                ...{ deliveredAtMs: undefined, failedAtMs: undefined, failure: undefined, ...failure },
                ...{ lost: 0, lostAtMs: undefined, lostTo: 0, leadsKeptTo: 0, ...loss },
              }),
            write: none,
            noteLost: none,
            noteLeadsKept: none,
          },
        }),
      'absent',
    ),
    admin: () =>
      Promise.resolve({
        place: () => Promise.resolve(place === 'none' ? undefined : { ...AT_EASE, ...place }),
        places: none,
        deadEvents: none,
        replayDead: none,
        replaySince: none,
      }),
  });
  return (await runChecks(checks)).map(({ part, what, verdict, seen, remedy = '' }) =>
    [part, what, verdict, seen, remedy].join(' | '),
  );
}

it('says nothing of webhooks where there are none', async () => {
  expect(await lines({ webhooks: [] })).toEqual([]);
});

it('says how far events have come', async () => {
  expect(await lines({ outbox: { waiting: 3, oldestAtMs: Date.now() }, place: { pending: 2, inHands: 1 } })).toEqual([
    'Webhooks | outbox | ok | 3 changes wait for NATS, 0 were dropped | ',
    'Webhooks | crm | ok | 3 events wait, 0 are dead | ',
  ]);
});

it('forgets what was lost once all that came with it is too old, too', async () => {
  const lostAtMs = Date.now() - 8 * 24 * 3_600_000;
  expect(await lines({ loss: { lost: 9, lostAtMs } })).toContain('Webhooks | crm | ok | 0 events wait, 0 are dead | ');
});

it.each<[string, Given, RegExp]>([
  ['a server without them', { outbox: { limit: 0 } }, /outbox \| failure \| nothing is written down .* WEBHOOKS_FILE/],
  [
    'changes that NATS does not take',
    { outbox: { waiting: 1, oldestAtMs: Date.now() - 31_000 } },
    /outbox \| warning \| 1 changes wait/,
  ],
  ['changes that were lost', { outbox: { dropped: 7 } }, /outbox \| warning .* 7 were dropped .* See what NATS lacks/],
  [
    'one that no server delivers to',
    { place: 'none' },
    /crm \| failure \| has no place in the stream .*systemctl start/,
  ],
  [
    'a receiver that takes nothing',
    { place: { pending: 9 }, failure: { failuresInARow: 4, failure: 'answered 500' } },
    /crm \| warning \| 9 events wait, 0 are dead; 4 failures in a row: answered 500 .* webhooks test crm/,
  ],
  [
    'events that it never hears of',
    { place: { dead: 2 }, loss: { lost: 9, lostAtMs: Date.now() } },
    /crm \| warning .* 2 are dead, 9 were discarded before it had them .* lost to it/,
  ],
  ['dead letters', { place: { dead: 2 } }, /crm \| warning .* 2 are dead .* webhooks replay crm --dead/],
])('tells of %s, and what to do', async (_, given, expected) => {
  expect((await lines(given)).join('\n')).toMatch(expected);
});
