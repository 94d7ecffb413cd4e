import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { newInstanceId, visitName } from '../domain/ids.ts';
import { VISIT_EVENT_TYPES, type VisitEntry, type VisitEvent } from '../domain/visit-event.ts';
import type { Webhook } from '../domain/webhook.ts';
import { eventsOf } from '../pool/publish-events.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { forgetDeliveredLeads } from '../queue/forget-leads.ts';
import { JetStreamEvents } from '../queue/event-stream.ts';
import {
  DEAD_EVENT_STREAM,
  EVENT_STREAM,
  EVENT_SUBJECT,
  LEAD_SUBJECTS,
  deadEventSubject,
  webhookConsumer,
} from '../queue/names.ts';
import { JetStreamWebhookAdmin } from '../queue/webhook-admin.ts';
import { JetStreamWebhookFeed } from '../queue/webhook-feed.ts';
import { openStore } from '../store/store.ts';
import { eventually } from '../../test/support/eventually.ts';
import { TestNats } from '../../test/support/queue.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { SUSPECT } from '../../test/support/suspect.ts';
import { WebhookReceiver } from '../../test/support/webhook-receiver.ts';
import { WebhookDelivery } from './deliver.ts';
import type { WebhookPolicy } from './policy.ts';
import { createPoster } from './post.ts';

const QUICK: WebhookPolicy = {
  ...{ turnMs: 60_000, ackWaitMs: 60_000, window: 50, concurrency: 4 },
  eventBackoff: { baseMs: 20, maxMs: 100 },
  receiverBackoff: { baseMs: 20, maxMs: 100 },
  ...{ giveUpAfterMs: 600_000, lookMs: 50 },
};
/** Quick to take over from one that is no more. */
const SOON_TAKEN_OVER: WebhookPolicy = { ...QUICK, turnMs: 1_500, ackWaitMs: 1_500 };
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

let nats: TestNats;
let store: TestStore;
let connection: QueueConnection;
let receiver: WebhookReceiver;
let stops: (() => Promise<void>)[];
let names = 0;
let name: string;
beforeAll(async () => {
  [nats, store] = await Promise.all([TestNats.start(), startStore()]);
  connection = await nats.connect();
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
  stops = [];
  name = `hook-${(names += 1)}`;
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
    await receiver[Symbol.asyncDispose]();
  };
});

function feed(policy = QUICK, over = connection): JetStreamWebhookFeed {
  return new JetStreamWebhookFeed({
    connection: over,
    webhook: name,
    ackWaitMs: policy.ackWaitMs,
    window: policy.window,
  });
}

/** A process that delivers until it is stopped. */
function deliver(
  webhook: Partial<Webhook> = {},
  { policy = QUICK, turn = store.turns.of(name), over = connection } = {},
): () => Promise<void> {
  const poster = createPoster({ userAgent: 'test' });
  const delivery = new WebhookDelivery({
    webhook: {
      name,
      url: receiver.url,
      secrets: [SECRET],
      events: VISIT_EVENT_TYPES,
      timeoutMs: 60_000,
      retryForMs: 3_600_000,
      ...webhook,
    },
    feed: feed(policy, over),
    turn,
    post: poster.post,
    statuses: store.webhookStatuses,
    observer: { webhookDelivery: () => undefined },
    policy,
    clock: systemClock,
    log: nats.log,
  });
  const abort = new AbortController();
  const running = (async () => {
    while (!abort.signal.aborted) {
      await delivery.round(abort.signal).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
    await poster.close();
  };
  stops.push(stop);
  return stop;
}

/** Each visit: clicked, handed_over, extended, ended. */
function visitEvents(): { readonly visit: string; readonly events: readonly VisitEvent[] } {
  const id = newInstanceId();
  const base = { v: 1 as const, id, template: 'tiny', site: 'direct', atMs: Date.now() };
  const entries: VisitEntry[] = [
    { ...base, kind: 'claimed', sequence: 1, deadlineMs: Date.now() + 60_000 },
    { ...base, kind: 'extended', sequence: 3, deadlineMs: Date.now() + 120_000 },
    { ...base, kind: 'ended', sequence: 4, reason: 'released', usedMs: 1_000 },
  ];
  return { visit: visitName(id), events: entries.flatMap((entry, at) => eventsOf(`${id.slice(0, 8)}-${at}`, entry)) };
}

async function publish(visits: number): Promise<string[]> {
  const stream = new JetStreamEvents({ connection, log: nats.log });
  const made = Array.from({ length: visits }, () => visitEvents());
  for (const step of [0, 1, 2, 3])
    for (const { events } of made) {
      const event = events[step];
      if (event !== undefined) await stream.publish(event);
    }
  return made.map(({ visit }) => visit);
}

const ALL = ['visit.clicked', 'visit.handed_over', 'visit.extended', 'visit.ended'];

async function expectAllInOrder(visits: readonly string[]): Promise<void> {
  await eventually(() => {
    for (const visit of visits) expect(receiver.taken(visit)).toEqual(ALL);
  });
}

/** The receiver has settled everything. */
async function expectNothingLeft(): Promise<void> {
  await eventually(async () => {
    const info = await connection.manager.consumers.info(EVENT_STREAM, webhookConsumer(name));
    expect([info.num_pending, info.num_ack_pending]).toEqual([0, 0]);
  });
}

describe('A webhook', () => {
  it('is told everything, in the order of each visit', async () => {
    await feed().open();
    const visits = await publish(20);
    deliver();
    await expectAllInOrder(visits);
    await expectNothingLeft();
    expect(receiver.received).toHaveLength(80);
  });

  it('is told what it asked for alone', async () => {
    await feed().open();
    const [visit = ''] = await publish(1);
    deliver({ events: ['ended'] });
    await eventually(() => expect(receiver.taken(visit)).toEqual(['visit.ended']));
    await expectNothingLeft();
    expect(receiver.received).toHaveLength(1);
  });

  it('is told of who is suspected where it asks for that', async () => {
    await feed().open();
    const event = { v: 1, id: `evt_${name}`, atMs: Date.now(), type: 'suspected', data: { suspect: SUSPECT } } as const;
    await new JetStreamEvents({ connection, log: nats.log }).publish(event);
    deliver({ events: ['suspected'] });
    await eventually(() => expect(receiver.received.map(({ type }) => type)).toEqual(['visitor.suspected']));
  });

  it('has missed nothing after it was down', async () => {
    await feed().open();
    await receiver.down();
    const visits = await publish(30);
    deliver();
    await eventually(async () =>
      expect(await store.webhookStatuses.read(name)).toMatchObject({
        failure: expect.stringContaining('ECONNREFUSED') as string,
      }),
    );
    await receiver.up();
    await expectAllInOrder(visits);
    await expectNothingLeft();
  });

  it('that refuses one event is told of that visit no further, and of the others on and on', async () => {
    await feed().open();
    const visits = await publish(10);
    const [stuck = ''] = visits;
    let refusing = true;
    receiver.answer = ({ visit, type }) => (refusing && visit === stuck && type === 'visit.handed_over' ? 500 : 200);
    deliver();
    await expectAllInOrder(visits.slice(1));
    const later = await publish(2);
    await expectAllInOrder(later);
    await eventually(() =>
      expect(
        receiver.received.filter(({ visit, sequence }) => visit === stuck && sequence === 2).length,
      ).toBeGreaterThan(2),
    );
    expect(receiver.taken(stuck)).toEqual(['visit.clicked']);
    refusing = false;
    await expectAllInOrder(visits);
    await expectNothingLeft();
  });

  it('that hangs is left after its time, and told again', async () => {
    await feed().open();
    let hanging = 3;
    receiver.answer = () => ((hanging -= 1) >= 0 ? 'hang' : 200);
    const [visit = ''] = await publish(1);
    deliver({ timeoutMs: 100 });
    await expectNothingLeft();
    expect(receiver.taken(visit)).toEqual(ALL);
    expect(await store.webhookStatuses.read(name)).toMatchObject({
      failure: 'no answer within 0.1 s',
      failuresInARow: 0,
    });
  });

  it('is not followed where it redirects to', async () => {
    await feed().open();
    receiver.answer = () => 302;
    await publish(1);
    deliver();
    await eventually(async () =>
      expect((await store.webhookStatuses.read(name)).failure).toContain('answered 302; redirects are not followed'),
    );
  });

  it('that does not take an event for too long has it set aside, and the one after it', async () => {
    await feed().open();
    receiver.answer = ({ type }) => (type === 'visit.handed_over' ? 500 : 200);
    const before = (await connection.manager.streams.info(DEAD_EVENT_STREAM)).state.messages;
    const [visit = ''] = await publish(1);
    deliver({ retryForMs: 0 });
    await eventually(() => expect(receiver.taken(visit)).toEqual(ALL.filter((type) => type !== 'visit.handed_over')));
    await expectNothingLeft();
    expect((await connection.manager.streams.info(DEAD_EVENT_STREAM)).state.messages).toBe(before + 1);
    const admin = new JetStreamWebhookAdmin(connection);
    expect((await admin.deadEvents(1_000)).filter(({ webhook }) => webhook === name)).toMatchObject([
      { type: 'handed_over', visit, reason: 'answered 500', attempts: 1 },
    ]);
    expect(await admin.place(name)).toEqual({ pending: 0, inHands: 0, dead: 1 });
    receiver.answer = () => 200;
    expect(await admin.replayDead(name, [name])).toBe(1);
    await eventually(async () => expect(await admin.place(name)).toEqual({ pending: 0, inHands: 0, dead: 0 }));
    expect(receiver.received.filter(({ sequence }) => sequence === 2).map(({ id }) => id)).toEqual(
      Array.from({ length: 2 }, () => receiver.received.find(({ sequence }) => sequence === 2)?.id),
    );
  });

  it('is told again what happened within some time, and no other webhook is', async () => {
    await feed().open();
    const since = Date.now();
    const visits = await publish(2);
    deliver();
    await expectAllInOrder(visits);
    const admin = new JetStreamWebhookAdmin(connection);
    expect(await admin.replaySince({ name: 'another', events: VISIT_EVENT_TYPES }, since, [name])).toBe(8);
    expect(await admin.replaySince({ name, events: VISIT_EVENT_TYPES }, since, [name])).toBe(8);
    await eventually(() => expect(receiver.received.length).toBeGreaterThanOrEqual(16));
    await expectNothingLeft();
    expect(receiver.received).toHaveLength(16);
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(8);
    expect(await admin.replaySince({ name, events: VISIT_EVENT_TYPES }, Date.now() + 60_000, [name])).toBe(0);
    expect(await admin.places()).toContain(name);
    expect(await admin.place('nobody')).toBeUndefined();
  });

  it('has what cannot be read set aside', async () => {
    await feed().open();
    await connection.jetstream.publish(EVENT_SUBJECT, '{"v":2}');
    const [visit = ''] = await publish(1);
    deliver();
    await eventually(() => expect(receiver.taken(visit)).toEqual(ALL));
    await expectNothingLeft();
    const dead = await connection.manager.streams.getMessage(DEAD_EVENT_STREAM, {
      last_by_subj: deadEventSubject(name),
    });
    expect(dead?.string()).toBe('{"v":2}');
  });

  it('keeps the order when a process dies that had events in hands', async () => {
    const dying = await nats.connect();
    const first = feed(SOON_TAKEN_OVER, dying);
    await first.open();
    const visits = await publish(3);
    // It took the first four of the twelve, and is no more.
    const inHands: number[] = [];
    for await (const { position } of first.pull(4, new AbortController().signal)) inHands.push(position);
    expect(inHands).toHaveLength(4);
    await dying.close();
    deliver({}, { policy: SOON_TAKEN_OVER });
    await expectAllInOrder(visits);
    await expectNothingLeft();
  });

  it('has one process that delivers, and another one as soon as that stops', async () => {
    await feed().open();
    await using elsewhere = await openOther();
    const stop = deliver();
    const visits = await publish(5);
    await expectAllInOrder(visits);
    deliver({}, { turn: elsewhere.turns.of(name), over: elsewhere.connection });
    await stop();
    const more = await publish(5);
    await expectAllInOrder(more);
    await expectNothingLeft();
    // One that is told to both at the change counts once: it is at least once, under one id.
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(40);
  });

  it('is not told again of what it was being told as the process stopped', async () => {
    // NATS 2.9 keeps the first that is handed back until its time is up.
    const policy = { ...QUICK, ackWaitMs: 3_000 };
    await feed(policy).open();
    const answered = new AbortController();
    receiver.answer = async () => {
      await once(answered.signal, 'abort');
      return 200;
    };
    const stop = deliver({}, { policy });
    const visits = await publish(QUICK.concurrency);
    await eventually(() => expect(receiver.received).toHaveLength(QUICK.concurrency));
    const stopped = stop();
    answered.abort();
    await stopped;
    receiver.answer = () => 200;
    deliver({}, { policy });
    await expectAllInOrder(visits);
    await expectNothingLeft();
    expect(receiver.received).toHaveLength(ALL.length * QUICK.concurrency);
  });

  it('is told what a visitor told, and only then is it deleted, with all others kept', async () => {
    const leads = async (): Promise<string[]> => {
      const { state } = await connection.manager.streams.info(EVENT_STREAM, { subjects_filter: LEAD_SUBJECTS });
      return Object.keys(state.subjects ?? {});
    };
    const id = newInstanceId();
    const lead = { email: 'ann@example.org' };
    const entry = {
      v: 1,
      id,
      template: 'tiny',
      site: 'direct',
      atMs: 1,
      kind: 'lead_given',
      sequence: 1,
      lead,
    } as const;
    const [event] = eventsOf('1-0', entry);
    const stream = new JetStreamEvents({ connection, log: nats.log });
    expect(await forgetDeliveredLeads(connection, [name])).toBe(0);
    await feed().open();
    receiver.answer = () => 500;
    const stop = deliver({ retryForMs: 1 });
    await stream.publish(event ?? expect.fail());
    await eventually(() => expect(receiver.received.length).toBeGreaterThan(0));
    const admin = new JetStreamWebhookAdmin(connection);
    await eventually(async () => expect(await admin.place(name)).toMatchObject({ dead: 1, pending: 0, inHands: 0 }));
    expect(JSON.stringify(await admin.deadEvents(1_000))).not.toContain(lead.email);
    expect(await forgetDeliveredLeads(connection, [name])).toBe(1);
    expect(await leads()).toEqual([]);

    // What was dead is delivered again, and deleted again.
    await stop();
    expect(await admin.replayDead(name, [name])).toBe(1);
    expect(await forgetDeliveredLeads(connection, [name])).toBe(0);
    expect(await leads()).toEqual([`visit_events.lead.again.${name}`]);
    const [visit = ''] = await publish(1);
    receiver.answer = () => 200;
    deliver();
    await eventually(() => expect(receiver.taken(visitName(id))).toEqual(['visit.lead_given']));
    await eventually(() => expect(receiver.taken(visit)).toEqual(ALL));
    await expectNothingLeft();
    expect(receiver.received.find((each) => each.visit === visitName(id))?.raw).toContain(
      JSON.stringify({ lead }).slice(1, -1),
    );
    const { state } = await connection.manager.streams.info(EVENT_STREAM);
    expect(await forgetDeliveredLeads(connection, [name])).toBe(1);
    expect((await connection.manager.streams.info(EVENT_STREAM)).state.messages).toBe(state.messages - 1);
    expect(await leads()).toEqual([]);
  });

  it('misses nothing of what waits while no leads are there to be deleted', async () => {
    await feed().open();
    const stop = deliver();
    await expectAllInOrder(await publish(1));
    await expectNothingLeft();
    await stop();
    const visits = await publish(2);
    expect(await forgetDeliveredLeads(connection, [name])).toBe(0);
    deliver();
    await expectAllInOrder(visits);
    await expectNothingLeft();
  });

  it('misses nothing while NATS is away, and its stream is made again', async () => {
    await feed(SOON_TAKEN_OVER).open();
    // An ack that the outage cut off is made up for soon.
    deliver({}, { policy: SOON_TAKEN_OVER });
    await expectAllInOrder(await publish(2));
    await nats.down();
    await nats.up();
    await eventually(() => expect(connection.connected).toBe(true));
    const visits = await eventually(() => publish(2));
    await expectAllInOrder(visits);
    await expectNothingLeft();
  });
});

async function openOther() {
  const other = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
  return { turns: other.turns, connection: await nats.connect(), [Symbol.asyncDispose]: () => other.close() };
}
