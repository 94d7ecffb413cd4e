import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { TryItNowError } from '../domain/errors.ts';
import type { QueueConnection } from './connection.ts';
import { DEAD_STREAM, STREAM } from './names.ts';

interface ConsumerDepth {
  readonly consumer: string;
  /** Waiting for their first delivery. */
  readonly pending: number;
  /** Handed out: being worked on, or waiting out the pause before their next attempt. */
  readonly outstanding: number;
  readonly redelivered: number;
}

export interface QueueDepth {
  readonly consumers: readonly ConsumerDepth[];
  /** Tasks in the stream altogether, those of nodes without a consumer included. */
  readonly total: number;
  readonly dead: number;
  /** When the oldest of them was queued; undefined while there is none. */
  readonly oldestAtMs: number | undefined;
}

/** What is waiting, for metrics and for people. Throws queue_unavailable. */
export async function queueDepth({ manager, url }: QueueConnection): Promise<QueueDepth> {
  try {
    const [work, dead, consumers] = await Promise.all([
      manager.streams.info(STREAM),
      manager.streams.info(DEAD_STREAM),
      everyConsumer(manager),
    ]);
    return {
      consumers: consumers.map((info) => ({
        consumer: info.name,
        pending: info.num_pending,
        outstanding: info.num_ack_pending,
        redelivered: info.num_redelivered,
      })),
      total: work.state.messages,
      dead: dead.state.messages,
      oldestAtMs: work.state.messages === 0 ? undefined : Date.parse(work.state.first_ts),
    };
  } catch (error) {
    throw new TryItNowError('queue_unavailable', `The queue depth could not be read from NATS at ${url}`, {
      cause: error,
    });
  }
}

async function everyConsumer(manager: JetStreamManager): Promise<ConsumerInfo[]> {
  const found: ConsumerInfo[] = [];
  for await (const info of manager.consumers.list(STREAM)) found.push(info);
  return found;
}
