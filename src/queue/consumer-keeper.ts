import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { QueueConnection } from './connection.ts';
import {
  ensureStreamsAndConsumers,
  putStreamsAndConsumersBack,
  type Consumers,
  type DeliveryPolicy,
} from './stream-and-consumers.ts';

export interface ConsumerKeeperOptions {
  readonly connection: QueueConnection;
  readonly node: string;
  readonly policy: DeliveryPolicy;
  readonly log: Log;
}

/**
 * Puts back what the workers pull from when somebody removed it; one line when it does, one on each edge of trouble.
 */
export class ConsumerKeeper {
  readonly #options: ConsumerKeeperOptions;
  #consumers: Consumers | undefined;
  #recovery: Promise<void> | undefined;
  #failing = false;

  constructor(options: ConsumerKeeperOptions) {
    this.#options = options;
  }

  /** As last seen. */
  get consumers(): Consumers {
    if (this.#consumers === undefined) throw new Error('ensure() comes first');
    return this.#consumers;
  }

  async ensure(): Promise<Consumers> {
    const { connection, node, policy } = this.#options;
    this.#consumers = await ensureStreamsAndConsumers(connection, node, policy);
    return this.#consumers;
  }

  /** After a failed pull. Every worker notices at once; one look for all of them. Never throws: the next pull tells. */
  async recover(cause: unknown, stopping: AbortSignal): Promise<void> {
    if (stopping.aborted) return;
    this.#recovery ??= this.#recover(cause, stopping).finally(() => {
      this.#recovery = undefined;
    });
    await this.#recovery;
  }

  async #recover(cause: unknown, stopping: AbortSignal): Promise<void> {
    const { connection, node, policy, log } = this.#options;
    try {
      this.#consumers = await putStreamsAndConsumersBack(connection, node, policy);
      const { made } = this.#consumers;
      if (made.length > 0)
        log.warn({ url: connection.url, made }, 'NATS had lost streams or consumers; the queue workers put them back');
      if (this.#failing) log.info({ url: connection.url }, 'Queue workers reach their consumers on NATS again');
      this.#failing = false;
    } catch (error) {
      // The disconnect itself has its own line.
      if (this.#failing || stopping.aborted || !connection.connected) return;
      this.#failing = true;
      log.error(
        { url: connection.url, err: error, reason: describeError(error), after: describeError(cause) },
        'Queue workers cannot reach their consumers on NATS; trying again with backoff',
      );
    }
  }
}
