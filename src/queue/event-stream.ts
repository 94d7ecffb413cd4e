import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { StreamConfig } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { StreamEvent, StreamEventType } from '../domain/visit-event.ts';
import type { EventStream } from '../pool/interfaces/event-stream.ts';
import type { QueueConnection } from './connection.ts';
import { encodeEvent } from './event-payload.ts';
import {
  DEAD_EVENT_STREAM,
  DEAD_EVENT_SUBJECTS,
  EVENT_STREAM,
  EVENT_SUBJECT,
  EVENT_SUBJECTS,
  IMAGE_SUBJECT,
  LEAD_SUBJECT,
  SUSPECT_SUBJECT,
} from './names.ts';
import { nobodyStores } from './publisher.ts';
import { DAY_MS, MEBIBYTE, ensureStream } from './stream-and-consumers.ts';
import { within } from './within.ts';

const PUBLISH_TIMEOUT_MS = 2_000;
/** How long what happened is kept for replays, and for webhooks that do not take it. */
export const EVENTS_KEPT_MS = 7 * DAY_MS;
/** As long as an outbox may be kept from forgetting what it has published. */
const DUPLICATE_WINDOW_MS = 10 * 60 * 1000;

/** Of those that have one of their own: what is deleted sooner, and what earlier versions would not understand. */
const SUBJECTS: Partial<Record<StreamEventType, string>> = {
  lead_given: LEAD_SUBJECT,
  suspected: SUSPECT_SUBJECT,
  image_adopted: IMAGE_SUBJECT,
  image_refused: IMAGE_SUBJECT,
};

const EVENTS: Partial<StreamConfig> & { name: string } = {
  name: EVENT_STREAM,
  description: 'What happened in visits to Try It Now, for its webhooks',
  subjects: [EVENT_SUBJECTS],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  // The newest are worth more than the oldest, which every webhook that works has had.
  discard: DiscardPolicy.Old,
  max_age: nanos(EVENTS_KEPT_MS),
  max_bytes: 256 * MEBIBYTE,
  max_msg_size: 16 * 1024,
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
};

const DEAD_EVENTS: Partial<StreamConfig> & { name: string } = {
  name: DEAD_EVENT_STREAM,
  description: 'Events that a webhook of Try It Now did not take, kept to be inspected and delivered again',
  subjects: [DEAD_EVENT_SUBJECTS],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.Old,
  max_age: nanos(30 * DAY_MS),
  max_bytes: 64 * MEBIBYTE,
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
};

/** The streams of events. Safe to repeat. Returns the names of those that were missing. Throws queue_conflict. */
export async function ensureEventStreams(connection: QueueConnection): Promise<string[]> {
  const made: string[] = [];
  for (const stream of [EVENTS, DEAD_EVENTS]) if (await ensureStream(connection, stream)) made.push(stream.name);
  return made;
}

export interface EventPublisherOptions {
  readonly connection: QueueConnection;
  readonly log: Log;
  readonly timeoutMs?: number;
}

/** Events of visits in JetStream, each with its id, so that one published again is stored once. */
export class JetStreamEvents implements EventStream {
  readonly #options: EventPublisherOptions;

  constructor(options: EventPublisherOptions) {
    this.#options = options;
  }

  async publish(event: StreamEvent): Promise<void> {
    const { connection, log, timeoutMs = PUBLISH_TIMEOUT_MS } = this.#options;
    const { url } = connection;
    if (!connection.connected)
      throw new TryItNowError(
        'queue_unavailable',
        `NATS at ${url} takes no events: it is disconnected; reconnecting goes on in the background`,
      );
    const subject = SUBJECTS[event.type] ?? EVENT_SUBJECT;
    const send = () =>
      within(timeoutMs, ({ timeout }) =>
        connection.jetstream.publish(subject, encodeEvent(event), { msgID: event.id, timeout }),
      );
    try {
      await send().catch(async (error: unknown) => {
        if (!nobodyStores(error)) throw error;
        const made = await ensureEventStreams(connection);
        if (made.length > 0) log.warn({ url, made }, 'NATS lacked streams of ours; the publisher of events made them');
        await send();
      });
    } catch (error) {
      if (error instanceof TryItNowError) throw error;
      throw new TryItNowError('queue_unavailable', `NATS at ${url} did not store an event: ${describeError(error)}`, {
        cause: error,
      });
    }
  }
}
