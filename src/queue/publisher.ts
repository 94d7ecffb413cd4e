import { RequestError, deadline } from '@nats-io/transport-node';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Task } from '../domain/task.ts';
import type { TaskQueue } from '../pool/ports.ts';
import type { QueueConnection } from './connection.ts';
import { subjectOf } from './names.ts';
import { ensureStreams } from './stream-and-consumers.ts';
import { encodeTask } from './task-payload.ts';

const PUBLISH_TIMEOUT_MS = 2_000;

export interface PublisherOptions {
  readonly connection: QueueConnection;
  readonly log: Log;
  /** The bound of a whole publish, however many tasks it has. */
  readonly timeoutMs?: number;
}

/**
 * Puts tasks into the stream and waits for NATS to say that it stored them. Throws queue_unavailable, at once while
 * disconnected: the client would hold messages back in memory and send them whenever the server returns.
 *
 * No `Nats-Msg-Id`: the same task is published again on purpose (an overdue cleanup, a dead task retried), and within
 * the duplicate window NATS would confirm that and drop it. A task doubled by a lost confirmation does no harm, since
 * handlers are idempotent.
 */
export function createPublisher({ connection, log, timeoutMs = PUBLISH_TIMEOUT_MS }: PublisherOptions): TaskQueue {
  let repair: Promise<void> | undefined;

  /** Many tasks notice the missing stream at once; one of them puts it back. */
  const putStreamsBack = (): Promise<void> => {
    repair ??= ensureStreams(connection)
      .then((made) => {
        if (made.length > 0) log.warn({ url: connection.url, made }, 'NATS had lost streams of ours; the publisher put them back');
      })
      .finally(() => {
        repair = undefined;
      });
    return repair;
  };

  const publishOne = async (task: Task): Promise<void> => {
    const send = () => connection.jetstream.publish(subjectOf(task), encodeTask(task), { timeout: timeoutMs });
    try {
      await send();
    } catch (error) {
      if (!nobodyStores(error)) throw error;
      await putStreamsBack();
      await send();
    }
  };

  const publish = async (tasks: readonly Task[]): Promise<void> => {
    if (!connection.connected) throw unavailable(connection, tasks.length, tasks.length, 'it is disconnected; reconnecting goes on in the background');
    const outcomes = await Promise.allSettled(tasks.map((task) => deadline(publishOne(task), timeoutMs)));
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    const [first] = failed;
    if (first === undefined) return;
    const error: unknown = first.reason;
    if (error instanceof TryItNowError) throw error;
    throw unavailable(connection, failed.length, tasks.length, describeError(error), error);
  };

  return {
    publishProvision: publish,
    publishCleanup: (task) => publish([task]),
  };
}

/** The client reports a subject that no stream listens on as JetStream being off; the cause tells the two apart. */
function nobodyStores(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}

function unavailable({ url }: QueueConnection, failed: number, all: number, why: string, cause?: unknown): TryItNowError {
  return new TryItNowError('queue_unavailable', `${failed} of ${all} tasks could not be queued on NATS at ${url}: ${why}`, { cause });
}
