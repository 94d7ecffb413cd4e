import { giveUpTicket } from './abandon.ts';
import type { Clock } from '../domain/clock.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Arrivals, Census, LostTicket, Takes } from './ports.ts';
import { queueCleanup, sendAway, type ReleaseParts } from './release.ts';
import { forsakenTickets } from './survey.ts';

export interface ReapParts extends ReleaseParts {
  readonly catalogue: Catalogue;
  readonly arrivals: Arrivals;
  readonly census: Census;
  readonly takes: Takes;
  readonly clock: Clock;
}

const BATCH = 200;

/** One round: ends what is over, retires stock too old for a visit, and takes up what was left lying, except on silent nodes. */
export async function reap(parts: ReapParts, silent: ReadonlySet<string>): Promise<void> {
  const { departures, catalogue, observer, clock } = parts;

  const expired = await departures.expired(BATCH);
  await Promise.all(
    expired.map(async (instance) => {
      const gone = await sendAway(parts, instance, 'expired', { from: ['assigned'], onlyIfExpired: true });
      if (gone !== undefined) observer.expiryLag(Math.max(0, clock.now() - (gone.deadlineMs ?? clock.now())));
    }),
  );

  for (const template of catalogue.all()) {
    const aged = await departures.agedStock(template, BATCH);
    await Promise.all(
      aged.map((instance) =>
        sendAway(parts, instance, 'retired', { from: ['ready'], generation: instance.generation }),
      ),
    );
  }

  for (const template of catalogue.all()) {
    const drained = await departures.drainable(template.name, BATCH);
    await Promise.all(
      drained.map((instance) =>
        sendAway(parts, instance, 'drained', { from: ['ready', 'assigned'], generation: instance.generation }),
      ),
    );
  }

  // Nobody would take them up, and they come up every half minute.
  for (const instance of await departures.overdue(BATCH)) if (!silent.has(instance.node)) queueCleanup(parts, instance);
}

/**
 * Where tasks may be lost: of this node at the start, when nobody is at a cleanup yet, and of every node when the stream
 * itself was. A second task for one cleanup does no harm.
 */
export async function resumeCleanups(
  parts: Pick<ReapParts, 'census' | 'queue' | 'departures' | 'log'>,
  { node }: { readonly node?: string } = {},
): Promise<void> {
  for (const record of await parts.census.list()) {
    if (record.state === 'releasing' && (node === undefined || record.node === node)) queueCleanup(parts, record);
  }
}

/**
 * The room of tickets that nothing will come of is given back: at once when the queue holds no task at all, else when their
 * time is up. Apart from the rounds of `reap`, which must not wait for a queue that is away. Throws queue_unavailable.
 */
export async function settleTickets(parts: ReapParts): Promise<void> {
  for (const hopeless of [forsakenTickets, overdueTickets]) {
    for (const ticket of await hopeless(parts)) {
      await giveUpTicket(parts, ticket);
      parts.observer.repaired('ticket', 1);
    }
  }
}

/**
 * A ticket past its deadline was either begun by a worker that died, or its task waits in a long queue, or its task is
 * lost. Only the second kind may go on.
 */
async function overdueTickets({ census, arrivals, takes, queue }: ReapParts): Promise<readonly LostTicket[]> {
  const tickets = await census.lostTickets();
  if (tickets.length === 0) return [];
  const begun = await takes.findMany(tickets.map(({ id }) => id));
  const queued = tickets.filter(({ id }) => !begun.has(id));
  if (queued.length === 0 || (await queue.provisions()).waiting === 0) return tickets;
  await arrivals.keepQueued(queued);
  return tickets.filter(({ id }) => begun.has(id));
}
