import { expect, it } from 'vitest';
import type { OperatorJob } from '../../domain/operator-job.ts';
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
const replay: OperatorJob = {
  ...{ id: 1, action: 'webhooks.replay', on: 'crm', who: 'key:aaaaaaaa', state: 'running' },
  ...{ startedAtMs: Date.now(), endedAtMs: undefined, said: '250 events are delivered again so far' },
};
const page = (waitedMs: number): string =>
  webhooksPage(view, {
    overview: {
      value: {
        webhooks: [crm],
        outbox: { waiting: 3, dropped: 0, limit: 100, oldestAtMs: Date.now() - waitedMs },
      },
    },
    dead: { value: [] },
    jobs: [replay],
    catalogue: { value: { revision: 'r', templates: [], processes: [] } },
  }).text;

it('warns of changes that NATS does not take, and not of those that are on their way', () => {
  expect(page(500)).not.toContain('wait for NATS');
  expect(page(31_000)).toContain('3 changes of visits wait for NATS.');
});

it('shows how far a replay is', () => {
  expect(page(0)).toContain('250 events are delivered again so far…');
});
