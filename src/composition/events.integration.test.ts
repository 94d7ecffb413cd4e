import { expect, it } from 'vitest';
import { TestNats } from '../../test/support/queue.ts';
import { startStore } from '../../test/support/store.ts';
import type { Config } from '../config/config.ts';
import { eventDepths } from './events.ts';

const CRM = [{ name: 'crm' }] as unknown as Config['webhooks'];

it.each(['stops', 'hangs'] as const)('how far events have come is told of Valkey where NATS %s', async (how) => {
  await using nats = await TestNats.start();
  await using store = await startStore();
  const { connection } = await nats.publisher();
  await store.outbox.limit(10);
  if (how === 'stops') await nats.server.stop();
  else nats.server.signal('SIGSTOP');
  try {
    const depths = await eventDepths(CRM, store, connection)?.();
    expect(depths).toEqual({
      waiting: 0,
      dropped: 0,
      oldestAgeMs: 0,
      webhooks: new Map(),
      lost: new Map([['crm', 0]]),
    });
  } finally {
    nats.server.signal('SIGCONT');
  }
});
