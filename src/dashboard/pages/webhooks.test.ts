import { expect, it } from 'vitest';
import type { View } from '../layout.ts';
import { webhooksPage } from './webhooks.ts';

const view: View = {
  caller: { who: 'key:aaaaaaaa', role: 'viewer', session: undefined },
  assets: { 'dashboard.css': '', 'dashboard.js': '', 'icon.svg': '' },
  done: undefined,
};
const crm = {
  name: 'crm',
  origin: 'https://crm.example',
  events: ['ended' as const],
  place: undefined,
  failuresInARow: 0,
  ...{ lost: 0, lostTo: 0, leadsKeptTo: 0 },
  ...{ deliveredAtMs: undefined, failedAtMs: undefined, failure: undefined, lostAtMs: undefined },
};
const page = (waitedMs: number): string =>
  webhooksPage(
    view,
    {
      value: {
        webhooks: [crm],
        outbox: { waiting: 3, dropped: 0, limit: 100, oldestAtMs: Date.now() - waitedMs },
      },
    },
    { value: [] },
  ).text;

it('warns of changes that NATS does not take, and not of those that are on their way', () => {
  expect(page(500)).not.toContain('wait for NATS');
  expect(page(31_000)).toContain('3 changes of visits wait for NATS.');
});
