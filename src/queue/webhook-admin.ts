import { DeliverPolicy, type StoredMsg } from '@nats-io/jetstream';
import { TryItNowError } from '../domain/errors.ts';
import type { DeadEvent, WebhookAdmin, WebhookPlace } from '../pool/interfaces/webhook-admin.ts';
import type { QueueConnection } from './connection.ts';
import { ATTEMPTS, REASON } from './dead-letters.ts';
import { decodeEvent } from './event-payload.ts';
import {
  DEAD_EVENT_STREAM,
  DEAD_EVENT_SUBJECTS,
  EVENT_STREAM,
  EVENT_SUBJECT,
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

  replayDead(webhook: string): Promise<number> {
    return this.#ask(`have the dead events of the webhook ${webhook} delivered again`, async (connection) => {
      const { manager } = connection;
      // What dies again comes after it, and is left for the next call.
      const { state } = await manager.streams.info(DEAD_EVENT_STREAM);
      let count = 0;
      for await (const { seq, data } of walkStream(connection, DEAD_EVENT_STREAM, deadEventSubject(webhook))) {
        if (seq > state.last_seq) break;
        await this.#again(webhook, data);
        await manager.streams.deleteMessage(DEAD_EVENT_STREAM, seq, false);
        count += 1;
      }
      return count;
    });
  }

  replaySince(webhook: string, sinceMs: number): Promise<number> {
    return this.#ask(`have events delivered to the webhook ${webhook} again`, async ({ jetstream }) => {
      const events = await jetstream.consumers.get(EVENT_STREAM, {
        filter_subjects: EVENT_SUBJECT,
        deliver_policy: DeliverPolicy.StartTime,
        opt_start_time: new Date(sinceMs).toISOString(),
      });
      let count = 0;
      try {
        let left = (await events.info(false)).num_pending;
        while (left > 0) {
          const message = await events.next({ expires: PUBLISH_TIMEOUT_MS });
          if (message === null) break;
          await this.#again(webhook, message.data);
          count += 1;
          left -= 1;
        }
      } finally {
        await events.delete();
      }
      return count;
    });
  }

  async #again(webhook: string, data: Uint8Array): Promise<void> {
    const subject = decodeEvent(data)?.type === 'lead_given' ? leadReplaySubject(webhook) : replaySubject(webhook);
    await within(PUBLISH_TIMEOUT_MS, (options) => this.#connection.jetstream.publish(subject, data, options));
  }

  async #ask<T>(what: string, question: (connection: QueueConnection) => Promise<T>): Promise<T> {
    const { url, connected } = this.#connection;
    try {
      // The client would hold the question back until the server returns.
      if (!connected) throw new Error('it is disconnected; reconnecting goes on in the background');
      return await question(this.#connection);
    } catch (error) {
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
