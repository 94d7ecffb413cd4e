import { createHash } from 'node:crypto';
import { headers } from '@nats-io/transport-node';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { SavedEvent, SavedEvents } from '../pool/interfaces/saved-events.ts';
import type { QueueConnection } from './connection.ts';
import { ATTEMPTS, REASON, headerText } from './dead-letters.ts';
import { decodeEvent } from './event-payload.ts';
import {
  DEAD_EVENT_STREAM,
  DEAD_EVENT_SUBJECTS,
  EVENT_STREAM,
  EVENT_SUBJECTS,
  WEBHOOK_CONSUMER_PREFIX,
  deadEventSubject,
  isForWebhook,
  leadReplaySubject,
  replaySubject,
} from './names.ts';
import { isMissing } from './stream-and-consumers.ts';
import { walkStream } from './walk-stream.ts';
import { within } from './within.ts';

const PUBLISH_TIMEOUT_MS = 2_000;

/** The streams of events, beside the processes that deliver. */
export class JetStreamSavedEvents implements SavedEvents {
  readonly #connection: QueueConnection;
  /** Makes a webhook's place in the stream, if it has none. */
  readonly #open: (webhook: string) => Promise<void>;

  constructor(connection: QueueConnection, open: (webhook: string) => Promise<void>) {
    this.#connection = connection;
    this.#open = open;
  }

  async read(): Promise<readonly SavedEvent[]> {
    try {
      return [...(await this.#waiting()), ...(await this.#dead())];
    } catch (error) {
      if (isMissing(error)) return [];
      throw this.#unavailable('tell which events its webhooks have not taken', error);
    }
  }

  async add(events: readonly SavedEvent[]): Promise<void> {
    // Whoever has no place when an event comes is not told of it.
    for (const webhook of new Set(events.map((each) => each.webhook))) await this.#open(webhook);
    try {
      for (const { webhook, event, dead } of events) {
        const lead = decodeEvent(new TextEncoder().encode(event))?.type === 'lead_given';
        if (dead === undefined) await this.#publish(lead ? leadReplaySubject(webhook) : replaySubject(webhook), event);
        else await this.#publish(deadEventSubject(webhook), event, dead);
      }
    } catch (error) {
      throw this.#unavailable('take the events of the backup', error);
    }
  }

  /** Those after what each webhook has settled without a gap: a few of them may have been delivered. */
  async #waiting(): Promise<SavedEvent[]> {
    const { manager } = this.#connection;
    const settled = new Map<string, number>();
    for await (const { name, ack_floor } of manager.consumers.list(EVENT_STREAM))
      if (name.startsWith(WEBHOOK_CONSUMER_PREFIX))
        settled.set(name.slice(WEBHOOK_CONSUMER_PREFIX.length), ack_floor.stream_seq);
    const found: SavedEvent[] = [];
    const from = Math.min(...settled.values()) + 1;
    if (!Number.isFinite(from)) return found;
    for await (const { seq, subject, data } of walkStream(this.#connection, EVENT_STREAM, EVENT_SUBJECTS, from))
      for (const [webhook, upTo] of settled)
        if (seq > upTo && isForWebhook(webhook, subject))
          found.push({ webhook, event: new TextDecoder().decode(data) });
    return found;
  }

  async #dead(): Promise<SavedEvent[]> {
    const found: SavedEvent[] = [];
    for await (const { subject, data, header } of walkStream(this.#connection, DEAD_EVENT_STREAM, DEAD_EVENT_SUBJECTS))
      found.push({
        webhook: subject.slice(deadEventSubject('').length),
        event: new TextDecoder().decode(data),
        dead: { reason: header.get(REASON), attempts: Number(header.get(ATTEMPTS)) },
      });
    return found;
  }

  async #publish(subject: string, event: string, dead?: SavedEvent['dead']): Promise<void> {
    const fields = headers();
    if (dead !== undefined) {
      fields.set(REASON, headerText(dead.reason));
      fields.set(ATTEMPTS, String(dead.attempts));
    }
    // A restore that is repeated at once, after it was cut off, queues nothing twice.
    const msgID = createHash('sha256').update(`${subject}\0${event}`).digest('base64url');
    await within(PUBLISH_TIMEOUT_MS, (options) =>
      this.#connection.jetstream.publish(subject, event, { ...options, msgID, headers: fields }),
    );
  }

  #unavailable(what: string, error: unknown): TryItNowError {
    return new TryItNowError(
      'queue_unavailable',
      `NATS at ${this.#connection.url} could not ${what}: ${describeError(error)}`,
      { cause: error },
    );
  }
}
