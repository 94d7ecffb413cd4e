import type { ConsumerInfo, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { QueueConnection } from './connection.ts';

/**
 * How long one pull waits at the server; a free worker asks again at once. It is short because a pull outlives its
 * worker at the server until then, and nats-server 2.9 mishandles a redelivery that meets nothing but such orphans: it
 * steps back in the stream and hands out a task that another worker has in hands.
 */
export const PULL_EXPIRES_MS = 5_000;
/** NATS leaves a pull on a missing consumer unanswered; two heartbeats missed are how that is noticed. */
const HEARTBEAT_MS = 1_500;

/**
 * One task for one free worker. Each pull asks for a single message and waits at the server, so a task reaches
 * an idle worker within its publish, nothing waits in a buffer while its ack_wait runs, and processes share the
 * work by who is free.
 */
export class Puller {
  readonly #connection: QueueConnection;
  readonly #stopping: AbortSignal;
  readonly #open = new Set<ConsumerMessages>();
  readonly #forgetConnection: () => void;

  constructor(connection: QueueConnection, stopping: AbortSignal) {
    this.#connection = connection;
    this.#stopping = stopping;
    // A server that was restarted knows nothing of the pulls waiting at it, and the client's own recovery may sleep for
    // a whole pull when the server is not quite up again: they are ended here, and the workers ask again.
    this.#forgetConnection = connection.onReconnect(() => this.#endAll());
  }

  /** Undefined when none came. Throws when the consumer is gone or NATS does not answer. */
  async next(consumer: ConsumerInfo): Promise<JsMsg | undefined> {
    const stopped = () => this.#stopping.aborted;
    await this.#connection.untilConnected(this.#stopping);
    if (stopped()) return undefined;
    const handle = this.#connection.jetstream.consumers.getConsumerFromInfo(consumer);
    const messages = await handle.fetch({ max_messages: 1, expires: PULL_EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS });
    this.#open.add(messages);
    // The stop may have come while the pull was being opened, and so have missed it.
    if (stopped()) void messages.close();
    try {
      for await (const message of messages) {
        if (!stopped()) return message;
        message.nak(PULL_EXPIRES_MS);
      }
      return undefined;
    } finally {
      this.#open.delete(messages);
    }
  }

  close(): void {
    this.#forgetConnection();
    this.#endAll();
  }

  #endAll(): void {
    for (const messages of this.#open) void messages.close();
  }
}
