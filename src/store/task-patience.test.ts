import { expect, it } from 'vitest';
import { TASK_PATIENCE } from './task-patience.ts';

// The drill with a purged stream shortens it, so what it is without that is held here.
it('trusts a task for half a minute, and a ticket that is new for ten seconds', () => {
  expect(TASK_PATIENCE).toEqual({ queuedTicketMs: 30_000, newTicketMs: 10_000, cleanupMs: 30_000 });
});
