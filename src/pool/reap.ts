import type { Clock } from '../domain/clock.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Arrivals, Census, Takes } from './ports.ts';
import { queueCleanup, sendAway, type ReleaseParts } from './release.ts';

export interface ReapParts extends ReleaseParts {
  readonly catalogue: Catalogue;
  readonly arrivals: Arrivals;
  readonly census: Census;
  readonly takes: Takes;
  readonly clock: Clock;
}

const BATCH = 200;
/** A cleanup takes well under a second; after this its task counts as lost and is queued again. */
const CLEANUP_OVERDUE_MS = 30_000;

/** One round: ends what is over, retires stock too old for a visit, and takes up what was left lying. */
export async function reap(parts: ReapParts): Promise<void> {
  const { departures, catalogue, arrivals, census, takes, observer, clock } = parts;

  const expired = await departures.expired(BATCH);
  await Promise.all(expired.map(async (instance) => {
    const gone = await sendAway(parts, instance, 'expired', { from: ['assigned'], onlyIfExpired: true });
    if (gone !== undefined) observer.expiryLag(Math.max(0, clock.now() - (gone.deadlineMs ?? clock.now())));
  }));

  for (const template of catalogue.all()) {
    const aged = await departures.agedStock(template, BATCH);
    await Promise.all(aged.map((instance) => sendAway(parts, instance, 'retired', { from: ['ready'], generation: instance.generation })));
  }

  for (const { template, id } of await census.lostTickets()) {
    await arrivals.cancelTicket(template, id);
    observer.repaired('ticket', 1);
    const view = await takes.find(id);
    if (view !== undefined) await sendAway(parts, view.instance, 'provision_failed', { from: ['warming'] });
  }

  for (const instance of await departures.overdue(CLEANUP_OVERDUE_MS, BATCH)) queueCleanup(parts, instance);
}
