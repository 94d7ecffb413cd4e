import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import type { ConsumerConfig, ConsumerInfo, StreamConfig } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { TryItNowError } from '../domain/errors.ts';
import type { BackoffOptions } from '../lifecycle/backoff.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { QueueConnection } from './connection.ts';
import { refuseForTooFew } from './replicas.ts';
import {
  CLEANUP_SUBJECTS,
  DEAD_STREAM,
  DEAD_SUBJECTS,
  EXHAUSTED_CONSUMER,
  EXHAUSTED_SUBJECTS,
  NODE_PROVISION_SUBJECTS,
  PROVISION_SUBJECT,
  STREAM,
  cleanupConsumer,
  cleanupSubject,
  provisionConsumer,
  provisionSubject,
} from './names.ts';

/** How a task is delivered, and how often. */
export interface DeliveryPolicy {
  /**
   * A worker that has been silent for this long is taken for dead, and its task goes to
   * another. Progress acks renew it.
   */
  readonly ackWaitMs: number;
  /** Deliveries altogether, crashes included; also the consumers' MaxDeliver. */
  readonly attempts: number;
  /** The pause before the next attempt of a task that failed. */
  readonly backoff: BackoffOptions;
}

export const DELIVERY_POLICY: DeliveryPolicy = {
  ackWaitMs: 30_000,
  attempts: 5,
  backoff: { baseMs: 1_000, maxMs: 60_000 },
};

export const MEBIBYTE = 1024 * 1024;
export const DAY_MS = 24 * 60 * 60 * 1000;
/** JetStream's own codes, https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;
const SUBJECTS_OVERLAP = 10065;
const NO_STORAGE = [10023, 10047];

const WORK_STREAM: Partial<StreamConfig> & { name: string } = {
  name: STREAM,
  description: 'Provision and cleanup tasks of Try It Now',
  subjects: [PROVISION_SUBJECT, NODE_PROVISION_SUBJECTS, CLEANUP_SUBJECTS, EXHAUSTED_SUBJECTS],
  retention: RetentionPolicy.Workqueue,
  storage: StorageType.File,
  // A publisher running away is refused, per subject: it can neither push tasks out, nor crowd out the other kind, nor
  // fill the disk.
  discard: DiscardPolicy.New,
  discard_new_per_subject: true,
  max_msgs_per_subject: 50_000,
  max_bytes: 64 * MEBIBYTE,
  max_msg_size: 16 * 1024,
};

const DEAD_TASK_STREAM: Partial<StreamConfig> & { name: string } = {
  name: DEAD_STREAM,
  description: 'Dead-lettered tasks of Try It Now, kept to be inspected and retried',
  subjects: [DEAD_SUBJECTS],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  // Newest kept: what failed last week matters less than what fails now.
  discard: DiscardPolicy.Old,
  max_age: nanos(7 * DAY_MS),
  max_msgs: 10_000,
  max_bytes: 64 * MEBIBYTE,
  // Dead-lettering is repeated when what follows it fails; one task must not be kept twice for that.
  duplicate_window: nanos(60 * 60 * 1000),
};

/** What NATS never lets anybody change on a stream that exists. */
const FIXED = ['retention', 'storage'] as const;

function sameValue(a: unknown, b: unknown): boolean {
  const plain = (value: unknown) => JSON.stringify(Array.isArray(value) ? [...(value as unknown[])].sort() : value);
  return plain(a) === plain(b);
}

function differs(wanted: object, found: object): boolean {
  const actual = new Map(Object.entries(found));
  return Object.entries(wanted).some(([key, value]) => !sameValue(value, actual.get(key)));
}

const failedWith = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code;

/** Whether NATS says that a stream or consumer is not there, and not something else. */
export function isMissing(error: unknown): boolean {
  return failedWith(error, STREAM_NOT_FOUND) || failedWith(error, CONSUMER_NOT_FOUND);
}

async function streamConfig({ manager }: QueueConnection, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await manager.streams.info(name)).config;
  } catch (error) {
    if (failedWith(error, STREAM_NOT_FOUND)) return undefined;
    throw error;
  }
}

/**
 * Makes the stream, or changes it to what it should be; true when it was missing. How many servers keep one that exists
 * is left to `matchReplicas`. Throws queue_conflict.
 */
export async function ensureStream(
  connection: QueueConnection,
  wanted: Partial<StreamConfig> & { name: string },
): Promise<boolean> {
  const { manager } = connection;
  const found = await streamConfig(connection, wanted.name);
  if (found === undefined) {
    const replicated = { ...wanted, num_replicas: connection.replicas };
    await manager.streams.add(replicated).catch((error: unknown) => {
      if (connection.replicas > 1) refuseForTooFew(connection, wanted.name, error);
      if (NO_STORAGE.some((code) => failedWith(error, code)))
        throw new TryItNowError(
          'queue_unavailable',
          `NATS has no room for the stream ${wanted.name}, which may take ${(wanted.max_bytes ?? 0) / MEBIBYTE} MiB; ` +
            'make room on its disk, or raise `max_file_store` in its configuration, and restart it',
          { cause: error },
        );
      if (!failedWith(error, SUBJECTS_OVERLAP)) throw error;
      throw new TryItNowError(
        'queue_conflict',
        `The NATS stream ${wanted.name} cannot be made: another stream already takes one of its subjects ` +
          `(${(wanted.subjects ?? []).join(', ')}); find it with \`nats stream ls\` and ` +
          'delete it or change its subjects',
        { cause: error },
      );
    });
    return true;
  }
  for (const key of FIXED) {
    if (found[key] !== wanted[key]) {
      throw new TryItNowError(
        'queue_conflict',
        `The NATS stream ${wanted.name} exists with ${key} "${found[key]}", but "${wanted[key] ?? ''}" is needed ` +
          `and NATS cannot change that; delete it with \`nats stream rm ${wanted.name}\``,
      );
    }
  }
  if (differs(wanted, found)) await manager.streams.update(wanted.name, wanted);
  return false;
}

/**
 * nats-server (2.9.10 seen) says that a deleted stream is gone before it has removed its files, and then takes those of
 * a new stream of that name with them: it stores tasks and hands none out. Long after the few ms that takes.
 */
const DELETION_MS = 1_000;

/** As `ensureStreams`, for streams that were there before: one that is missing may be in the middle of its deletion. */
export async function putStreamsBack(connection: QueueConnection): Promise<string[]> {
  const missing = await Promise.all(
    [WORK_STREAM, DEAD_TASK_STREAM].map(async ({ name }) => (await streamConfig(connection, name)) === undefined),
  );
  if (missing.includes(true)) await sleep(DELETION_MS);
  return ensureStreams(connection);
}

/**
 * Makes both streams, or changes them to what they should be. Returns the names of those
 * that were missing. Throws queue_conflict.
 */
export async function ensureStreams(connection: QueueConnection): Promise<string[]> {
  const made: string[] = [];
  for (const stream of [WORK_STREAM, DEAD_TASK_STREAM])
    if (await ensureStream(connection, stream)) made.push(stream.name);
  if (made.includes(STREAM)) connection.tasksLost();
  return made;
}

function consumerConfig(
  name: string,
  subject: string,
  policy: DeliveryPolicy,
  attempts: number,
): Partial<ConsumerConfig> {
  return {
    durable_name: name,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    // No `backoff` here: it would replace ack_wait, so that the pause after a failure and the patience with a silent
    // worker were one figure. The worker asks for its pause itself when it hands a task back.
    ack_wait: nanos(policy.ackWaitMs),
    max_deliver: attempts,
    // Counts the tasks waiting out a pause too; generous, so that they do not keep fresh ones from being handed out.
    max_ack_pending: 1_000,
    // One waiting pull for each idle worker of every process; the default 512 is two processes of 256.
    max_waiting: 4_096,
  };
}

async function ensureConsumer(
  { manager }: QueueConnection,
  wanted: Partial<ConsumerConfig>,
): Promise<{ made: boolean; info: ConsumerInfo }> {
  const name = wanted.durable_name ?? '';
  const found = await manager.consumers.info(STREAM, name).catch((error: unknown) => {
    if (failedWith(error, CONSUMER_NOT_FOUND)) return undefined;
    throw error;
  });
  if (found === undefined) return { made: true, info: await manager.consumers.add(STREAM, wanted) };
  const {
    ack_policy: ackPolicy,
    deliver_subject: deliverSubject,
    deliver_policy: deliverPolicy,
    max_waiting: maxWaiting,
  } = found.config;
  if (ackPolicy !== wanted.ack_policy || deliverSubject !== undefined || deliverPolicy !== wanted.deliver_policy) {
    throw new TryItNowError(
      'queue_conflict',
      `The NATS consumer ${name} of ${STREAM} is not a pull consumer with explicit acks from the first message ` +
        `on, and NATS cannot change that; delete it with \`nats consumer rm ${STREAM} ${name}\``,
    );
  }
  const target = { ...wanted, max_waiting: maxWaiting ?? wanted.max_waiting ?? 0 };
  if (!differs(target, found.config)) return { made: false, info: found };
  // The client lays our settings over those found, so what we never set has to be emptied by name.
  return { made: false, info: await manager.consumers.update(STREAM, name, { ...target, backoff: [] }) };
}

export interface Consumers {
  readonly provision: ConsumerInfo;
  readonly cleanup: ConsumerInfo;
  /** Tasks that used up MaxDeliver without any worker of ours seeing the last attempt through. */
  readonly exhausted: ConsumerInfo;
  /** Names of streams and consumers that were missing. */
  readonly made: readonly string[];
}

/**
 * The streams, and the durable pull consumers that a node's workers pull from. Safe to repeat. Throws queue_conflict.
 */
export async function ensureStreamsAndConsumers(
  connection: QueueConnection,
  node: string,
  policy: DeliveryPolicy,
): Promise<Consumers> {
  return ensureConsumers(connection, node, policy, await ensureStreams(connection));
}

/** As `ensureStreamsAndConsumers`, where all of them were there before. */
export async function putStreamsAndConsumersBack(
  connection: QueueConnection,
  node: string,
  policy: DeliveryPolicy,
): Promise<Consumers> {
  return ensureConsumers(connection, node, policy, await putStreamsBack(connection));
}

async function ensureConsumers(
  connection: QueueConnection,
  node: string,
  policy: DeliveryPolicy,
  streams: readonly string[],
): Promise<Consumers> {
  const made = [...streams];
  const ensure = async (config: Partial<ConsumerConfig>): Promise<ConsumerInfo> => {
    const result = await ensureConsumer(connection, config);
    if (result.made) made.push(result.info.name);
    return result.info;
  };
  return {
    provision: await ensure(consumerConfig(provisionConsumer(node), provisionSubject(node), policy, policy.attempts)),
    cleanup: await ensure(consumerConfig(cleanupConsumer(node), cleanupSubject(node), policy, policy.attempts)),
    exhausted: await ensure(consumerConfig(EXHAUSTED_CONSUMER, EXHAUSTED_SUBJECTS, policy, -1)),
    made,
  };
}
