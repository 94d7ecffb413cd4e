import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream';
import type { ConsumerConfig, ConsumerInfo, JsMsg } from '@nats-io/jetstream';
import { headers, nanos } from '@nats-io/transport-node';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { EventFeed, FeedPosition, HeldEvent } from '../pool/interfaces/event-feed.ts';
import { isAstray } from './astray-consumers.ts';
import type { QueueConnection } from './connection.ts';
import { ATTEMPTS, REASON, headerText } from './dead-letters.ts';
import { decodeEvent } from './event-payload.ts';
import { EVENTS_KEPT_MS, ensureEventStreams } from './event-stream.ts';
import { EVENT_STREAM, LEAD_SUBJECTS, deadEventSubject, isForWebhook, isReplay, webhookConsumer } from './names.ts';
import { isMissing } from './stream-and-consumers.ts';
import { walkStream } from './walk-stream.ts';
import { within } from './within.ts';

const PULL_EXPIRES_MS = 2_000;
const HEARTBEAT_MS = 750;
const CONFIRM_TIMEOUT_MS = 2_000;
/** Of the room for events. With less left, the oldest tenth of them may have to go soon. */
const NEARLY_FULL = 0.9;
/** The rest of their time is long enough for a look to come, and for somebody to repair the receiver. */
const OLD_MS = EVENTS_KEPT_MS - 12 * 3_600_000;

export interface WebhookFeedOptions {
  readonly connection: QueueConnection;
  readonly webhook: string;
  /** After so long without a sign an event is handed out again. */
  readonly ackWaitMs: number;
  /** The most that may be handed out and not settled. */
  readonly window: number;
}

/** A durable consumer for each webhook: its place in the stream of events outlives every process. */
export class JetStreamWebhookFeed implements EventFeed {
  readonly #options: WebhookFeedOptions;
  #consumer: ConsumerInfo | undefined;
  /** Of the first time this process had it: one that is made again must not begin later. */
  #since: Date | undefined;

  constructor(options: WebhookFeedOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    await this.#ask('prepare', async ({ manager }) => {
      await ensureEventStreams(this.#options.connection);
      const name = webhookConsumer(this.#options.webhook);
      const found = await this.#find(name);
      const wanted = this.#config(name);
      this.#since ??= new Date();
      if (found === undefined)
        this.#consumer = await manager.consumers.add(EVENT_STREAM, {
          ...wanted,
          deliver_policy: DeliverPolicy.StartTime,
          opt_start_time: this.#since.toISOString(),
        });
      else if (found.config.ack_wait !== wanted.ack_wait || found.config.max_ack_pending !== wanted.max_ack_pending)
        this.#consumer = await manager.consumers.update(EVENT_STREAM, name, wanted);
      else this.#consumer = found;
    });
  }

  inHands(): Promise<number> {
    return this.#ask('count', async ({ manager }) => {
      const info = await manager.consumers.info(EVENT_STREAM, webhookConsumer(this.#options.webhook));
      return info.num_ack_pending;
    });
  }

  async *pull(most: number, signal: AbortSignal): AsyncIterable<HeldEvent> {
    const consumer = this.#consumer;
    if (consumer === undefined) throw new Error('open() comes first');
    const messages = await this.#ask('hand out', ({ jetstream }) =>
      jetstream.consumers
        .getConsumerFromInfo(consumer)
        .fetch({ max_messages: most, expires: PULL_EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS }),
    );
    const close = (): void => void messages.close();
    signal.addEventListener('abort', close, { once: true });
    // The abort may have come while the pull was being opened, and so have missed it.
    if (signal.aborted) close();
    try {
      for await (const message of messages) yield this.#held(message);
    } finally {
      signal.removeEventListener('abort', close);
    }
  }

  position(): Promise<FeedPosition> {
    return this.#ask('count', async ({ manager }) => {
      const { delivered, ack_floor: floor } = await manager.consumers.info(
        EVENT_STREAM,
        webhookConsumer(this.#options.webhook),
      );
      const { config, state } = await manager.streams.info(EVENT_STREAM);
      const { first_seq: oldest, last_seq: newest, bytes } = state;
      const isNearlyFull = config.max_bytes > 0 && bytes > NEARLY_FULL * config.max_bytes;
      return {
        ...{ handedOut: delivered.stream_seq, settled: floor.stream_seq, oldest, newest },
        atRisk: isNearlyFull ? Math.round(oldest + (1 - NEARLY_FULL) * (newest - oldest)) : 0,
      };
    });
  }

  keepLeads(from: number, to: number, reason: string): Promise<number | undefined> {
    const { connection, webhook } = this.#options;
    return this.#ask('keep', async () => {
      let last: number | undefined;
      for await (const { seq, subject, data, time } of walkStream(connection, EVENT_STREAM, LEAD_SUBJECTS, from)) {
        if (seq > to && Date.now() - time.getTime() < OLD_MS) break;
        if (!isForWebhook(webhook, subject)) continue;
        await this.#storeDead(data, `${seq}@${time.getTime()} kept`, { reason, attempts: 0 });
        last = seq;
      }
      return last;
    });
  }

  deadLetter(held: HeldEvent, why: { reason: string; attempts: number }): Promise<void> {
    return this.#ask('keep', () => this.#storeDead((held as HeldMessage).message.data, held.key, why));
  }

  async #storeDead(data: Uint8Array, key: string, why: { reason: string; attempts: number }): Promise<void> {
    const { connection, webhook } = this.#options;
    const fields = headers();
    fields.set(REASON, headerText(why.reason));
    fields.set(ATTEMPTS, String(why.attempts));
    const msgID = `${webhook} ${key}`;
    await within(CONFIRM_TIMEOUT_MS, ({ timeout }) =>
      connection.jetstream.publish(deadEventSubject(webhook), data, { headers: fields, msgID, timeout }),
    );
  }

  /** Undefined without one. One that remembers events which the stream has lost is removed: it hands out nothing. */
  async #find(name: string): Promise<ConsumerInfo | undefined> {
    const { manager } = this.#options.connection;
    try {
      const found = await manager.consumers.info(EVENT_STREAM, name);
      const { state } = await manager.streams.info(EVENT_STREAM);
      if (!isAstray(found, state.last_seq)) return found;
      await manager.consumers.delete(EVENT_STREAM, name);
      return undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #held(message: JsMsg): HeldMessage {
    const { webhook } = this.#options;
    return {
      message,
      position: message.seq,
      // The time belongs to it: a stream that was deleted and made again counts from 1 again.
      key: `${message.seq}@${message.info.timestampNanos}`,
      event: decodeEvent(message.data),
      againAtMs: isReplay(message.subject) ? Math.floor(message.info.timestampNanos / 1_000_000) : undefined,
      isForUs: isForWebhook(webhook, message.subject),
      settle: async () => {
        await within(CONFIRM_TIMEOUT_MS, (options) => message.ackAck(options));
      },
      keep: () => message.working(),
      handBack: () => message.nak(),
    };
  }

  #config(name: string): Partial<ConsumerConfig> {
    return {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: nanos(this.#options.ackWaitMs),
      // The age of an event decides when it is set aside, so that no outage of a receiver uses up its deliveries.
      max_deliver: -1,
      max_ack_pending: this.#options.window,
      // Of a webhook that is configured no more: by then the stream has nothing that it has not had.
      inactive_threshold: nanos(EVENTS_KEPT_MS),
    };
  }

  async #ask<T>(what: string, question: (connection: QueueConnection) => Promise<T>): Promise<T> {
    const { connection, webhook } = this.#options;
    try {
      if (!connection.connected) throw new Error('it is disconnected; reconnecting goes on in the background');
      return await question(connection);
    } catch (error) {
      if (error instanceof TryItNowError) throw error;
      throw new TryItNowError(
        'queue_unavailable',
        `NATS at ${connection.url} does not ${what} events for the webhook ${webhook}: ${describeError(error)}`,
        { cause: error },
      );
    }
  }
}

interface HeldMessage extends HeldEvent {
  readonly message: JsMsg;
}
