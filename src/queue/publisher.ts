import { RequestError, headers, type MsgHdrs } from '@nats-io/transport-node';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Task } from '../domain/task.ts';
import { NO_TRACER, type Tracer } from '../domain/tracer.ts';
import type { TaskQueue } from '../pool/interfaces/task-queue.ts';
import type { QueueConnection } from './connection.ts';
import { discardTasks, leftoverTasks } from './leftover-tasks.ts';
import { missingPermission } from './missing-permission.ts';
import { STREAM, TRACE_HEADER, isProvisionConsumer, subjectOf } from './names.ts';
import { isMissing, putStreamsBack } from './stream-and-consumers.ts';
import { encodeTask } from './task-payload.ts';
import { within } from './within.ts';

const PUBLISH_TIMEOUT_MS = 2_000;
/** Tasks under way to NATS at once: enough to fill the wire, few enough to be confirmed well within the timeout. */
const BATCH = 250;

export interface PublisherOptions {
  readonly connection: QueueConnection;
  readonly log: Log;
  /** How long NATS may take to confirm the tasks under way; a large refill goes out in several batches of them. */
  readonly timeoutMs?: number;
  readonly tracer?: Tracer;
}

/**
 * Puts tasks into the stream and waits for NATS to say that it stored them. Throws queue_unavailable, at once while
 * disconnected: the client would hold messages back in memory and send them whenever the server returns.
 *
 * No `Nats-Msg-Id`: the same task is published again on purpose (an overdue cleanup, a dead task retried), and within
 * the duplicate window NATS would confirm that and drop it. A task doubled by a lost confirmation does no harm, since
 * handlers are idempotent.
 */
export function createPublisher({
  connection,
  log,
  timeoutMs = PUBLISH_TIMEOUT_MS,
  tracer = NO_TRACER,
}: PublisherOptions): TaskQueue {
  const putBack = onceAtATime(async () => {
    const made = await putStreamsBack(connection);
    if (made.length > 0)
      log.warn({ url: connection.url, made }, 'NATS lacked streams of ours; the publisher made them');
  });

  const publishOne = async (task: Task): Promise<void> => {
    const send = () =>
      within(timeoutMs, (options) =>
        connection.jetstream.publish(subjectOf(task), encodeTask(task), { ...options, ...traceOf(tracer) }),
      );
    try {
      await send();
    } catch (error) {
      if (!nobodyStores(error)) throw error;
      await putBack();
      await send();
    }
  };

  const publish = async (tasks: readonly Task[]): Promise<void> => {
    for (let from = 0; from < tasks.length; from += BATCH) {
      // What follows a batch that failed would fail as slowly.
      const unsent = Math.max(0, tasks.length - from - BATCH);
      if (!connection.connected)
        throw unavailable(
          connection,
          tasks.length - from,
          tasks.length,
          'it is disconnected; reconnecting goes on in the background',
        );
      const outcomes = await Promise.allSettled(
        tasks.slice(from, from + BATCH).map((task) => within(timeoutMs, () => publishOne(task))),
      );
      const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
      const [first] = failed;
      if (first === undefined) continue;
      const error: unknown = first.reason;
      if (error instanceof TryItNowError) throw error;
      throw unavailable(
        connection,
        failed.length + unsent,
        tasks.length,
        missingPermission(error) ?? describeError(error),
        error,
      );
    }
  };

  return {
    publishProvision: publish,
    publishCleanup: (task) => publish([task]),
    provisions: () => countProvisions(connection),
    leftovers: () => ask(connection, 'which tasks are left over', () => leftoverTasks(connection)),
    discard: (leftovers) => ask(connection, 'that it discards tasks', () => discardTasks(connection, leftovers)),
  };
}

/** Many tasks notice the missing stream at once; one of them puts it back. */
function onceAtATime(work: () => Promise<void>): () => Promise<void> {
  let underway: Promise<void> | undefined;
  return () => {
    underway ??= work().finally(() => {
      underway = undefined;
    });
    return underway;
  };
}

/** Which trace the task belongs to. A worker that knows nothing of it does the task all the same. */
function traceOf(tracer: Tracer): { readonly headers?: MsgHdrs } {
  const traceparent = tracer.current();
  if (traceparent === undefined) return {};
  const carried = headers();
  carried.set(TRACE_HEADER, traceparent);
  return { headers: carried };
}

async function ask<T>({ url }: QueueConnection, what: string, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    throw new TryItNowError('queue_unavailable', `NATS at ${url} does not say ${what}`, { cause: error });
  }
}

async function countProvisions({ manager, url }: QueueConnection): ReturnType<TaskQueue['provisions']> {
  try {
    let [waiting, outstanding] = [0, 0];
    for await (const info of manager.consumers.list(STREAM)) {
      if (!isProvisionConsumer(info.name)) continue;
      waiting += info.num_pending;
      outstanding += info.num_ack_pending;
    }
    return { waiting, outstanding };
  } catch (error) {
    // Without its stream or consumer nothing waits: the workers and the publisher put both back empty.
    if (isMissing(error)) return { waiting: 0, outstanding: 0 };
    throw new TryItNowError('queue_unavailable', `NATS at ${url} does not say how many tasks wait`, { cause: error });
  }
}

/** The client reports a subject that no stream listens on as JetStream being off; the cause tells the two apart. */
export function nobodyStores(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}

function unavailable(
  { url }: QueueConnection,
  failed: number,
  all: number,
  why: string,
  cause?: unknown,
): TryItNowError {
  return new TryItNowError(
    'queue_unavailable',
    `${failed} of ${all} tasks could not be queued on NATS at ${url}: ${why}`,
    { cause },
  );
}
