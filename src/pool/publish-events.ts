import { visitName } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import {
  VISIT_EVENT_VERSION,
  type ImageEntry,
  type ImageEvent,
  type OutboxEntry,
  type StreamEventType,
  type VisitEntry,
  type VisitEvent,
} from '../domain/visit-event.ts';
import type { EventOutbox } from './interfaces/event-outbox.ts';
import type { EventStream } from './interfaces/event-stream.ts';

/** What is counted about events on their way to the stream. */
export interface EventObserver {
  published(type: StreamEventType): void;
  /** Written by another version, or damaged: set aside. */
  unreadable(): void;
}

export interface PublishEventsDeps {
  readonly outbox: EventOutbox;
  readonly eventStream: EventStream;
  readonly eventObserver: EventObserver;
  /** The most that the outbox may hold while the stream takes nothing. */
  readonly outboxLimit: number;
  readonly log: Log;
}

const BATCH = 100;
/** Longer than a batch takes; after a crash another process waits for no more than this. */
const TURN_MS = 5_000;

/**
 * One round: what waits in the outbox goes to the stream, in its order and one after another, so that no event
 * overtakes the one before it. An entry is forgotten only after the stream has it: a process that dies in between
 * leaves it for the next round, and the stream knows it by its id. Throws queue_unavailable, store_unavailable.
 */
export async function publishEvents(deps: PublishEventsDeps, signal: AbortSignal): Promise<void> {
  const { outbox, outboxLimit } = deps;
  // Again each time: a store that came back with older data, or empty, must not forget that somebody listens.
  await outbox.limit(outboxLimit);
  while (!signal.aborted && (await outbox.takeTurn(TURN_MS))) {
    const entries = await outbox.read(BATCH);
    if (entries.length === 0) return;
    let last: string | undefined;
    try {
      for (const { key, entry } of entries) {
        // One that stood still for too long first asks whether it still has the turn.
        if (!outbox.hasTurn) break;
        await publishEntry(deps, key, entry);
        last = key;
      }
    } finally {
      if (last !== undefined) await outbox.forget(last);
    }
  }
}

async function publishEntry(
  { eventStream, eventObserver, log }: PublishEventsDeps,
  key: string,
  entry: OutboxEntry | undefined,
): Promise<void> {
  if (entry === undefined) {
    log.error({ entry: key }, 'Set aside an event that cannot be read; another version may have written it');
    eventObserver.unreadable();
    return;
  }
  for (const event of 'data' in entry ? [imageEventOf(key, entry)] : eventsOf(key, entry)) {
    await eventStream.publish(event);
    eventObserver.published(event.type);
  }
}

function imageEventOf(key: string, { kind: type, atMs, data }: ImageEntry): ImageEvent {
  return { v: VISIT_EVENT_VERSION, id: `evt_${key}`, atMs, type, data };
}

/** What a visit's entry stands for, in its order. */
export function eventsOf(key: string, entry: VisitEntry): readonly VisitEvent[] {
  const { id, template, site, atMs } = entry;
  const base = (sequence: number, at = atMs): Omit<VisitEvent, 'type' | 'data'> => ({
    v: VISIT_EVENT_VERSION,
    id: `evt_${key}-${sequence}`,
    atMs: at,
    visit: visitName(id),
    sequence,
    template,
    site,
  });
  const first = base(entry.sequence);
  switch (entry.kind) {
    case 'claimed': {
      const { deadlineMs, waitedMs, replacement } = entry;
      const handedOver = (sequence: number): VisitEvent => ({
        ...base(sequence),
        type: 'handed_over',
        data: { deadlineMs },
      });
      if (replacement === true) return [handedOver(entry.sequence)];
      const clicked: VisitEvent = { ...base(entry.sequence, atMs - (waitedMs ?? 0)), type: 'clicked', data: {} };
      if (waitedMs === undefined) return [clicked, handedOver(entry.sequence + 1)];
      return [
        clicked,
        { ...base(entry.sequence + 1), type: 'waited', data: { waitedMs } },
        handedOver(entry.sequence + 2),
      ];
    }
    case 'extended':
      return [{ ...first, type: 'extended', data: { deadlineMs: entry.deadlineMs } }];
    case 'ended':
      return [{ ...first, type: 'ended', data: { reason: entry.reason, usedMs: entry.usedMs } }];
    case 'lead_given':
      return [{ ...first, type: 'lead_given', data: { lead: entry.lead ?? {} } }];
    case 'first_page':
    case 'active':
    case 'call_to_action_clicked':
      return [{ ...first, type: entry.kind, data: {} }];
  }
}
