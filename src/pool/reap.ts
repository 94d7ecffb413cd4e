import { giveUpTicket } from './abandon.ts';
import type { Clock } from '../domain/clock.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Arrivals, Census, LostTicket, Takes } from './ports.ts';
import { queueCleanup, sendAway, type ReleaseParts } from './release.ts';

export interface ReapParts extends ReleaseParts {
  readonly catalogue: Catalogue;
  readonly arrivals: Arrivals;
  readonly census: Census;
  readonly takes: Takes;
  readonly clock: Clock;
}

const BATCH = 200;

/** One round: ends what is over, retires stock too old for a visit, and takes up what was left lying. */
export async function reap(parts: ReapParts): Promise<void> {
  const { departures, catalogue, census, observer, clock } = parts;

  const expired = await departures.expired(BATCH);
  await Promise.all(expired.map(async (instance) => {
    const gone = await sendAway(parts, instance, 'expired', { from: ['assigned'], onlyIfExpired: true });
    if (gone !== undefined) observer.expiryLag(Math.max(0, clock.now() - (gone.deadlineMs ?? clock.now())));
  }));

  for (const template of catalogue.all()) {
    const aged = await departures.agedStock(template, BATCH);
    await Promise.all(aged.map((instance) => sendAway(parts, instance, 'retired', { from: ['ready'], generation: instance.generation })));
  }

  await settleTickets(parts, await census.lostTickets());

  for (const instance of await departures.overdue(BATCH)) queueCleanup(parts, instance);
}

/**
 * A ticket past its deadline was either begun by a worker that died, or its task waits in a long queue, or its task is
 * lost (a purged stream). Only the second kind may go on; the room of the others is given back.
 */
async function settleTickets(parts: ReapParts, tickets: readonly LostTicket[]): Promise<void> {
  if (tickets.length === 0) return;
  const { arrivals, takes, queue, observer } = parts;
  const begun = await takes.findMany(tickets.map(({ id }) => id));
  const queued = tickets.filter(({ id }) => !begun.has(id));
  const waiting = queued.length > 0 && (await queue.provisions()).waiting > 0;
  if (waiting) await arrivals.keepQueued(queued);
  for (const { template, id } of waiting ? tickets.filter(({ id: ticket }) => begun.has(ticket)) : tickets) {
    await giveUpTicket(parts, { template, id });
    observer.repaired('ticket', 1);
  }
}
