import { DeliverPolicy, JetStreamApiError } from '@nats-io/jetstream';
import type { JsMsg, OrderedConsumerOptions, StoredMsg } from '@nats-io/jetstream';
import { TryItNowError } from '../domain/errors.ts';
import type { StreamEventType } from '../domain/visit-event.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { DeadEvent, ReplayFollower, WebhookAdmin, WebhookPlace } from '../pool/interfaces/webhook-admin.ts';
import type { QueueConnection } from './connection.ts';
import { ATTEMPTS, REASON } from './dead-letters.ts';
import { decodeEvent } from './event-payload.ts';
import {
  DEAD_EVENT_STREAM,
  DEAD_EVENT_SUBJECTS,
  EVENT_STREAM,
  EVENT_SUBJECT,
  IMAGE_SUBJECT,
  WEBHOOK_CONSUMER_PREFIX,
  deadEventSubject,
  leadReplaySubject,
  replaySubject,
  webhookConsumer,
} from './names.ts';
import { isMissing } from './stream-and-consumers.ts';
import { walkStream } from './walk-stream.ts';
import { within } from './within.ts';

const PUBLISH_TIMEOUT_MS = 2_000;
const PULL_EXPIRES_MS = 2_000;
/** Asked for at once: some MiB. NATS makes the consumer again for each, and counts all that waits for it. */
const PULLED = 10_000;
/** Under way to NATS at once. */
const BATCH = 250;

/** The streams of events as an operator looks at them; the processes that deliver are not asked. */
export class JetStreamWebhookAdmin implements WebhookAdmin {
  readonly #connection: QueueConnection;

  constructor(connection: QueueConnection) {
    this.#connection = connection;
  }

  place(webhook: string): Promise<WebhookPlace | undefined> {
    return this.#ask(`say where the webhook ${webhook} stands`, async ({ manager }) => {
      try {
        const [info, dead] = await Promise.all([
          manager.consumers.info(EVENT_STREAM, webhookConsumer(webhook)),
          manager.streams.info(DEAD_EVENT_STREAM, { subjects_filter: deadEventSubject(webhook) }),
        ]);
        const { num_pending: pending, num_ack_pending: inHands } = info;
        return { pending, inHands, dead: dead.state.subjects?.[deadEventSubject(webhook)] ?? 0 };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  places(): Promise<readonly string[]> {
    return this.#ask('list the webhooks', async ({ manager }) => {
      const found: string[] = [];
      try {
        for await (const { name } of manager.consumers.list(EVENT_STREAM))
          if (name.startsWith(WEBHOOK_CONSUMER_PREFIX)) found.push(name.slice(WEBHOOK_CONSUMER_PREFIX.length));
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
      return found.sort();
    });
  }

  deadEvents(limit: number): Promise<readonly DeadEvent[]> {
    return this.#ask('show which events are dead', async (connection) => {
      const found: DeadEvent[] = [];
      try {
        for await (const stored of walkStream(connection, DEAD_EVENT_STREAM, DEAD_EVENT_SUBJECTS)) {
          if (found.length >= limit) break;
          found.push(deadEvent(stored));
        }
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
      return found;
    });
  }

  replayDead(webhook: string, others: readonly string[], follower?: ReplayFollower): Promise<number> {
    return this.#ask(`have the dead events of the webhook ${webhook} delivered again`, async ({ manager }) => {
      const from = { filter_subjects: deadEventSubject(webhook), deliver_policy: DeliverPolicy.All };
      await this.#needRoom(DEAD_EVENT_STREAM, [from], others);
      let count = 0;
      // What dies again comes after those that are counted here, and is left for the next call.
      for await (const batch of this.#batches(DEAD_EVENT_STREAM, from)) {
        await Promise.all(
          batch.map(({ seq, data, info }) => this.#again(webhook, data, `${seq}@${info.timestampNanos}`)),
        );
        await Promise.all(
          batch.map(({ seq }) => manager.streams.deleteMessage(DEAD_EVENT_STREAM, seq, false).catch(ifGone)),
        );
        count += batch.length;
        tell(follower, count);
      }
      return count;
    });
  }

  replaySince(
    { name: webhook, events: types }: Pick<Webhook, 'name' | 'events'>,
    sinceMs: number,
    others: readonly string[],
    follower?: ReplayFollower,
  ): Promise<number> {
    return this.#ask(`have events delivered to the webhook ${webhook} again`, async () => {
      const isWanted = ({ data }: JsMsg): boolean => types.some((type) => type === decodeEvent(data)?.type);
      const froms = subjectsOf(types).map((subject) => ({
        filter_subjects: subject,
        deliver_policy: DeliverPolicy.StartTime,
        opt_start_time: new Date(sinceMs).toISOString(),
      }));
      await this.#needRoom(EVENT_STREAM, froms, others, { isWanted, follower });
      let count = 0;
      for (const from of froms) {
        for await (const batch of this.#batches(EVENT_STREAM, from)) {
          const wanted = batch.filter(isWanted);
          await Promise.all(wanted.map(({ data }) => this.#again(webhook, data)));
          count += wanted.length;
          tell(follower, count);
        }
      }
      return count;
    });
  }

  /** Throws replay_too_large. What is left out is counted only where it matters: that takes reading everything. */
  async #needRoom(
    stream: string,
    froms: readonly Partial<OrderedConsumerOptions>[],
    others: readonly string[],
    { isWanted, follower }: { readonly isWanted?: (message: JsMsg) => boolean; readonly follower?: Follower } = {},
  ): Promise<void> {
    const room = await this.#room(others);
    let most = 0;
    for (const from of froms) most += await this.#waiting(stream, from);
    if (most <= room) return;
    if (isWanted === undefined) throw tooLarge(most, Math.floor(room));
    let wanted = 0;
    for (const from of froms)
      for await (const batch of this.#batches(stream, from)) {
        wanted += batch.filter(isWanted).length;
        tell(follower, 0);
      }
    if (wanted > room) throw tooLarge(wanted, Math.floor(room));
  }

  async #waiting(stream: string, from: Partial<OrderedConsumerOptions>): Promise<number> {
    const consumer = await this.#connection.jetstream.consumers.get(stream, from);
    try {
      return (await consumer.info(false)).num_pending;
    } finally {
      await consumer.delete();
    }
  }

  /** How many events fit into the stream before it discards one that a webhook has not had. */
  async #room(webhooks: readonly string[]): Promise<number> {
    const { manager } = this.#connection;
    const { config, state } = await manager.streams.info(EVENT_STREAM);
    if (state.messages === 0) return Infinity;
    const settled: number[] = [];
    for await (const { name, ack_floor: floor } of manager.consumers.list(EVENT_STREAM))
      if (webhooks.some((webhook) => webhookConsumer(webhook) === name)) settled.push(floor.stream_seq);
    const had = Math.max(0, Math.min(state.last_seq, ...settled) - state.first_seq + 1);
    return had + (config.max_bytes - state.bytes) / (state.bytes / state.messages);
  }

  /** What a stream holds now, in its order. */
  async *#batches(stream: string, from: Partial<OrderedConsumerOptions>): AsyncGenerator<readonly JsMsg[]> {
    const consumer = await this.#connection.jetstream.consumers.get(stream, from);
    try {
      let left = (await consumer.info(false)).num_pending;
      while (left > 0) {
        let [pulled, batch]: [number, JsMsg[]] = [0, []];
        for await (const message of await consumer.fetch({
          max_messages: Math.min(left, PULLED),
          expires: PULL_EXPIRES_MS,
        })) {
          batch.push(message);
          pulled += 1;
          if (batch.length < BATCH && pulled < left) continue;
          yield batch;
          batch = [];
          if (pulled >= left) break;
        }
        if (batch.length > 0) yield batch;
        // Discarded meanwhile, or nothing has come in time.
        left = pulled === 0 ? (await consumer.info(false)).num_pending : left - pulled;
      }
    } finally {
      await consumer.delete();
    }
  }

  /** `key`: repeated within some minutes, it is delivered once. */
  async #again(webhook: string, data: Uint8Array, key?: string): Promise<void> {
    const subject = decodeEvent(data)?.type === 'lead_given' ? leadReplaySubject(webhook) : replaySubject(webhook);
    const once = key === undefined ? {} : { msgID: `again ${webhook} ${key}` };
    await within(PUBLISH_TIMEOUT_MS, (options) =>
      this.#connection.jetstream.publish(subject, data, { ...options, ...once }),
    );
  }

  async #ask<T>(what: string, question: (connection: QueueConnection) => Promise<T>): Promise<T> {
    const { url, connected } = this.#connection;
    try {
      // The client would hold the question back until the server returns.
      if (!connected) throw new Error('it is disconnected; reconnecting goes on in the background');
      return await question(this.#connection);
    } catch (error) {
      if (error instanceof TryItNowError) throw error;
      throw new TryItNowError('queue_unavailable', `NATS at ${url} could not ${what}`, {
        cause: error,
        retryAfterMs: 2_000,
      });
    }
  }
}

function deadEvent({ seq, subject, data, header, time }: StoredMsg): DeadEvent {
  const event = decodeEvent(data);
  return {
    sequence: seq,
    webhook: subject.slice(deadEventSubject('').length),
    id: event?.id,
    type: event?.type,
    visit: event !== undefined && 'visit' in event ? event.visit : undefined,
    reason: header.get(REASON),
    attempts: Number(header.get(ATTEMPTS)),
    diedAtMs: time.getTime(),
  };
}

/** Of what may be delivered again as it happened: no leads, which are deleted, and nobody who was suspected. */
function subjectsOf(types: readonly StreamEventType[]): readonly string[] {
  const isImage = (type: StreamEventType): boolean => type === 'image_adopted' || type === 'image_refused';
  return [...(types.every(isImage) ? [] : [EVENT_SUBJECT]), ...(types.some(isImage) ? [IMAGE_SUBJECT] : [])];
}

function tooLarge(wanted: number, room: number): TryItNowError {
  return new TryItNowError(
    'replay_too_large',
    `That are ${wanted} events, and the stream has room for ${room} before it discards what a webhook has not had; ` +
      'nothing is delivered again',
  );
}

type Follower = ReplayFollower | undefined;

/** Between what is under way at once. Throws shutting_down. */
function tell(follower: Follower, count: number): void {
  follower?.onCount(count);
  if (follower?.signal.aborted === true)
    throw new TryItNowError(
      'shutting_down',
      `The server is shutting down; ${count} events are delivered again so far, and the others are not`,
    );
}

/** What somebody else has deleted is deleted. */
function ifGone(error: unknown): void {
  if (!(error instanceof JetStreamApiError)) throw error;
}
