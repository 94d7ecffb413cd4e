import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { claimed, tiny, viewOf } from '../../test/support/store-cases.ts';
import { TestNats } from '../../test/support/queue.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { eventually } from '../../test/support/eventually.ts';
import { visitName } from '../domain/ids.ts';
import type { VisitEvent } from '../domain/visit-event.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { decodeEvent } from '../queue/event-payload.ts';
import { JetStreamEvents } from '../queue/event-stream.ts';
import { EVENT_STREAM, EVENT_SUBJECT } from '../queue/names.ts';
import { isMissing } from '../queue/stream-and-consumers.ts';
import { walkStream } from '../queue/walk-stream.ts';
import { keys } from '../store/keys.ts';
import type { EventOutbox } from './interfaces/event-outbox.ts';
import { publishEvents, type PublishEventsDeps } from './publish-events.ts';

let nats: TestNats;
let store: TestStore;
let connection: QueueConnection;
let counted: string[];
let deps: PublishEventsDeps;
beforeAll(async () => {
  [nats, store] = await Promise.all([TestNats.start(), startStore()]);
  connection = await nats.connect();
  deps = {
    outbox: store.outbox,
    eventStream: new JetStreamEvents({ connection, log: nats.log }),
    eventObserver: { published: (type) => counted.push(type), unreadable: () => counted.push('unreadable') },
    outboxLimit: 1_000,
    log: nats.log,
  };
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.clear();
  await publishEvents(deps, never);
  counted = [];
});

const never = new AbortController().signal;

async function visit(): Promise<string> {
  await fillPool(store, tiny);
  const { id } = await claimed(store, { site: 'docs.example.org' });
  await store.cleanupStore.release((await viewOf(store, id)).instance, 'released', { from: ['assigned'] });
  return visitName(id);
}

async function stored(name: string): Promise<VisitEvent[]> {
  const found: VisitEvent[] = [];
  for await (const { data } of walkStream(connection, EVENT_STREAM, EVENT_SUBJECT)) {
    const event = decodeEvent(data);
    if (event !== undefined && 'visit' in event && event.visit === name) found.push(event);
  }
  return found;
}

const waiting = async () => (await store.outbox.state()).waiting;

it('What is written down comes to the stream in its order, and is forgotten then', async () => {
  const name = await visit();
  await publishEvents(deps, never);
  expect(await stored(name)).toMatchObject([
    { type: 'clicked', sequence: 1, template: 'tiny', site: 'docs.example.org' },
    { type: 'handed_over', sequence: 2 },
    { type: 'ended', sequence: 3, data: { reason: 'released' } },
  ]);
  expect(counted).toEqual(['clicked', 'handed_over', 'ended']);
  expect(await waiting()).toBe(0);
});

/** The store's, but for what differs. */
function outboxWith(other: Partial<EventOutbox>): EventOutbox {
  const { outbox } = store;
  return {
    hasTurn: true,
    read: (count) => outbox.read(count),
    takeTurn: (forMs) => outbox.takeTurn(forMs),
    limit: (entries) => outbox.limit(entries),
    forget: (upTo) => outbox.forget(upTo),
    state: () => outbox.state(),
    ...other,
  };
}

it('A process that stood still in the middle, and whose turn is over, leaves the rest to the next one', async () => {
  const name = await visit();
  let asked = 0;
  const outbox = outboxWith({
    takeTurn: (forMs) => (asked > 1 ? Promise.resolve(false) : store.outbox.takeTurn(forMs)),
  });
  Object.defineProperty(outbox, 'hasTurn', { get: () => (asked += 1) === 1 });
  await publishEvents({ ...deps, outbox }, never);
  expect((await stored(name)).map(({ type }) => type)).toEqual(['clicked', 'handed_over']);
  expect(await waiting()).toBe(1);
  await publishEvents(deps, never);
  expect((await stored(name)).map(({ type }) => type)).toEqual(['clicked', 'handed_over', 'ended']);
});

it('An event that was stored by a process that did not live to forget it is stored once', async () => {
  const name = await visit();
  const outbox = outboxWith({ forget: () => Promise.reject(new Error('killed')) });
  await expect(publishEvents({ ...deps, outbox }, never)).rejects.toThrow('killed');
  expect(await waiting()).toBe(2);
  await publishEvents(deps, never);
  expect((await stored(name)).map(({ type }) => type)).toEqual(['clicked', 'handed_over', 'ended']);
  expect(await waiting()).toBe(0);
});

it('Nothing is lost while NATS is away, and a stream that is gone is made again', async () => {
  await nats.down();
  await eventually(() => expect(connection.connected).toBe(false));
  const name = await visit();
  await expect(publishEvents(deps, never)).rejects.toMatchObject({ code: 'queue_unavailable' });
  expect(await waiting()).toBe(2);
  await nats.up();
  await eventually(() => expect(connection.connected).toBe(true));
  await eventually(() =>
    connection.manager.streams.delete(EVENT_STREAM).catch((error: unknown) => {
      // Deleted by a try whose answer did not come.
      if (!isMissing(error)) throw error;
    }),
  );
  await eventually(() => publishEvents(deps, never));
  expect((await stored(name)).map(({ type }) => type)).toEqual(['clicked', 'handed_over', 'ended']);
});

it('What another version wrote is set aside and counted, and what came after it is not held up', async () => {
  await store.valkey.xadd(keys.eventOutbox, '*', 'event', '{"v":2}');
  await visit();
  await publishEvents(deps, never);
  expect(counted).toEqual(['unreadable', 'clicked', 'handed_over', 'ended']);
  expect(await waiting()).toBe(0);
});

it('A process whose turn it is not leaves everything to the one whose turn it is', async () => {
  await visit();
  await store.valkey.set(keys.turn('events'), 'somebody else');
  await publishEvents(deps, never);
  expect([counted, await waiting()]).toEqual([[], 2]);
});
