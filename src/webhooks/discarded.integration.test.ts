import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../domain/clock.ts';
import { newInstanceId, visitName } from '../domain/ids.ts';
import { VISIT_EVENT_TYPES, type StreamEvent } from '../domain/visit-event.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { JetStreamEvents, ensureEventStreams } from '../queue/event-stream.ts';
import { EVENT_STREAM } from '../queue/names.ts';
import { JetStreamWebhookAdmin } from '../queue/webhook-admin.ts';
import { JetStreamWebhookFeed } from '../queue/webhook-feed.ts';
import { eventually } from '../../test/support/eventually.ts';
import { TestNats } from '../../test/support/queue.ts';
import { startStore, type TestStore } from '../../test/support/store.ts';
import { WebhookReceiver } from '../../test/support/webhook-receiver.ts';
import { WebhookDelivery } from './deliver.ts';
import type { WebhookPolicy } from './policy.ts';
import { createPoster } from './post.ts';

const POLICY: WebhookPolicy = {
  turnMs: 60_000,
  ackWaitMs: 1_500,
  window: 50,
  concurrency: 8,
  eventBackoff: { baseMs: 20, maxMs: 100 },
  receiverBackoff: { baseMs: 20, maxMs: 100 },
  giveUpAfterMs: 600_000,
  lookMs: 1,
};
const SMALL = 64 * 1024;

let nats: TestNats;
let store: TestStore;
let connection: QueueConnection;
let admin: JetStreamWebhookAdmin;
let receiver: WebhookReceiver;
let stops: (() => Promise<void>)[];
let names = 0;
let name: string;
beforeAll(async () => {
  [nats, store] = await Promise.all([TestNats.start(), startStore()]);
  connection = await nats.connect();
  admin = new JetStreamWebhookAdmin(connection);
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
  stops = [];
  name = `hook-${(names += 1)}`;
  await connection.manager.streams.delete(EVENT_STREAM).catch(() => undefined);
  await ensureEventStreams(connection);
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
    await receiver[Symbol.asyncDispose]();
  };
});

const feed = (webhook = name): JetStreamWebhookFeed =>
  new JetStreamWebhookFeed({ connection, webhook, ackWaitMs: POLICY.ackWaitMs, window: POLICY.window });

/** A process that delivers until it is stopped. */
function deliver(webhook: Partial<Webhook> = {}, policy: Partial<WebhookPolicy> = {}): () => Promise<void> {
  const poster = createPoster({ userAgent: 'test' });
  const delivery = new WebhookDelivery({
    webhook: {
      ...{ name, url: receiver.url, secrets: [], events: VISIT_EVENT_TYPES },
      ...{ timeoutMs: 60_000, retryForMs: 3_600_000, ...webhook },
    },
    ...{ feed: feed(), turn: store.turns.of(name), post: poster.post, statuses: store.webhookStatuses },
    ...{ observer: { webhookDelivery: () => undefined }, policy: { ...POLICY, ...policy } },
    ...{ clock: systemClock, log: nats.log },
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

/** So little room has the stream, from the first delivery on: who delivers gives it its usual room at the start. */
async function shrinkStream(): Promise<void> {
  await publish(1);
  await eventually(() => expect(receiver.received.length).toBeGreaterThan(0));
  await connection.manager.streams.update(EVENT_STREAM, { max_bytes: SMALL });
}

/** Each of a visit of its own. */
function eventOf(atMs = Date.now(), type: 'active' | 'lead_given' = 'active'): StreamEvent {
  const id = newInstanceId();
  const base = { v: 1 as const, id: `evt_${id}`, atMs, visit: visitName(id), sequence: 1 };
  const of = { ...base, template: 'tiny', site: 'direct' };
  return type === 'active' ? { ...of, type, data: {} } : { ...of, type, data: { lead: { email: 'ann@example.org' } } };
}

async function publish(count: number, atMs?: number): Promise<void> {
  const stream = new JetStreamEvents({ connection, log: nats.log });
  for (let at = 0; at < count; at += 1) await stream.publish(eventOf(atMs));
}

const place = async () => (await admin.place(name)) ?? expect.fail();
const distinct = (): number =>
  new Set(receiver.received.filter(({ answered }) => answered === 200).map(({ id }) => id)).size;

describe('What the stream discards', () => {
  it('before a webhook has had it is counted, and told once', async () => {
    await feed().open();
    receiver.answer = () => 500;
    deliver();
    await shrinkStream();
    await publish(1_000);
    await eventually(async () => expect((await store.webhookStatuses.read(name)).lost).toBeGreaterThan(500));
    receiver.answer = () => 200;
    await eventually(async () => expect(await place()).toMatchObject({ pending: 0, inHands: 0 }));
    await eventually(async () => expect((await store.webhookStatuses.read(name)).lost).toBe(1_001 - distinct()));
    expect(distinct()).toBeGreaterThan(POLICY.window);
    expect(nats.log.with('Events were discarded').map(({ fields }) => fields['webhook'])).toEqual([name]);
  });

  it('is counted once, also by a process that takes over', async () => {
    await feed().open();
    receiver.answer = () => 500;
    const stop = deliver();
    await shrinkStream();
    await publish(500);
    await eventually(async () => expect((await store.webhookStatuses.read(name)).lost).toBeGreaterThan(100));
    await stop();
    receiver.answer = () => 200;
    deliver();
    await publish(1);
    await eventually(() => expect(distinct()).toBeGreaterThan(POLICY.window), { timeoutMs: 30_000 });
    await eventually(async () => expect(await place()).toMatchObject({ pending: 0, inHands: 0 }));
    const [{ lost }, { dead }] = [await store.webhookStatuses.read(name), await place()];
    // What the one that stopped had in hands is in the stream no more.
    expect([dead, distinct() + lost + dead]).toEqual([POLICY.window, 502]);
  });

  it('is no lead: what visitors told is set aside before', async () => {
    await feed().open();
    receiver.answer = () => 500;
    deliver();
    await shrinkStream();
    await publish(POLICY.window + 10);
    const stream = new JetStreamEvents({ connection, log: nats.log });
    const lead = eventOf(Date.now(), 'lead_given');
    await stream.publish(lead);
    for (let more = 0; more < 400; more += 1) {
      await publish(1);
      await store.webhookStatuses.read(name);
    }
    expect((await admin.deadEvents(1_000)).filter(({ webhook }) => webhook === name)).toMatchObject([
      { id: lead.id, type: 'lead_given', attempts: 0 },
    ]);
    receiver.answer = () => 200;
    await eventually(async () => expect(await place()).toMatchObject({ pending: 0, inHands: 0 }));
    expect(receiver.received.map(({ id }) => id)).not.toContain(lead.id);
    expect(await admin.replayDead(name, [name])).toBe(1);
    await eventually(() => expect(receiver.received.map(({ id }) => id)).toContain(lead.id));
  });
});

describe('A receiver that is down', () => {
  it('is not asked once more for each event that is older than its retry_for', async () => {
    await feed().open();
    receiver.answer = () => 500;
    await publish(300, Date.now() - 60_000);
    deliver({ retryForMs: 30_000 }, { giveUpAfterMs: 0 });
    await eventually(async () => expect(await place()).toEqual({ pending: 0, inHands: 0, dead: 300 }));
    expect(receiver.received.length).toBeLessThan(100);
    const [dead] = (await admin.deadEvents(1_000)).filter(
      ({ webhook, attempts }) => webhook === name && attempts === 0,
    );
    expect(dead).toMatchObject({ reason: 'its receiver takes nothing: answered 500' });
  });
});

describe('A replay', () => {
  it('of what is dead is tried again as often as anything new', async () => {
    await feed().open();
    receiver.answer = () => 500;
    await publish(20, Date.now() - 60_000);
    deliver({ retryForMs: 30_000 });
    await eventually(async () => expect(await place()).toMatchObject({ dead: 20 }));
    const refused = new Set<string>();
    receiver.answer = ({ id }) => (refused.has(id) ? 200 : (refused.add(id), 503));
    expect(await admin.replayDead(name, [name])).toBe(20);
    await eventually(() => expect(distinct()).toBe(20));
    await eventually(async () => expect(await place()).toEqual({ pending: 0, inHands: 0, dead: 0 }));
  });

  it('of what is dead, asked for twice at once, delivers each once', async () => {
    await feed().open();
    receiver.answer = () => 500;
    await publish(400, Date.now() - 60_000);
    const stop = deliver({ retryForMs: 30_000 }, { giveUpAfterMs: 0 });
    await eventually(async () => expect(await place()).toMatchObject({ dead: 400 }));
    await stop();
    await Promise.all([admin.replayDead(name, [name]), admin.replayDead(name, [name])]);
    expect(await place()).toMatchObject({ pending: 400, dead: 0 });
  });

  it('is of what the webhook is told of alone', async () => {
    const image = { image: 'shop:1', id: 'sha256:1', node: 'node0' };
    const event = { v: 1, id: `evt_${name}`, atMs: Date.now(), type: 'image_refused', data: image } as const;
    await new JetStreamEvents({ connection, log: nats.log }).publish(event);
    await publish(5);
    const since = Date.now() - 60_000;
    expect(await admin.replaySince({ name, events: ['image_refused'] }, since, [name])).toBe(1);
    expect(await admin.replaySince({ name, events: ['image_adopted'] }, since, [name])).toBe(0);
    expect(await admin.replaySince({ name, events: VISIT_EVENT_TYPES }, since, [name])).toBe(5);
  });

  it('says how far it is, and ends in good order with the server', async () => {
    await publish(300);
    const [counts, over] = [new Array<number>(), new AbortController()];
    const follower = { onCount: (count: number) => void counts.push(count), signal: over.signal };
    const again = () => admin.replaySince({ name, events: VISIT_EVENT_TYPES }, Date.now() - 60_000, [name], follower);
    expect(await again()).toBe(300);
    expect(counts).toEqual([250, 300]);
    over.abort();
    await expect(again()).rejects.toMatchObject({
      code: 'shutting_down',
      message: expect.stringContaining('250 events are delivered again so far') as string,
    });
  });

  it('that would push out what another webhook has not had is refused', async () => {
    const behind = feed('behind');
    await behind.open();
    await connection.manager.streams.update(EVENT_STREAM, { max_bytes: SMALL });
    await publish(150);
    const messages = async () => (await connection.manager.streams.info(EVENT_STREAM)).state.messages;
    const replay = () => admin.replaySince({ name, events: VISIT_EVENT_TYPES }, Date.now() - 60_000, ['behind', name]);
    await expect(replay()).rejects.toMatchObject({ code: 'replay_too_large' });
    expect(await messages()).toBe(150);
    // What it is not told of takes no room.
    const opened = { ...eventOf(), type: 'first_page', data: {} } as StreamEvent;
    await new JetStreamEvents({ connection, log: nats.log }).publish(opened);
    expect(await admin.replaySince({ name, events: ['first_page'] }, Date.now() - 60_000, ['behind', name])).toBe(1);
    for (let had = 0; had < 151;)
      for await (const held of behind.pull(POLICY.window, new AbortController().signal)) {
        await held.settle();
        had += 1;
      }
    expect(await replay()).toBe(151);
  });
});
