import type { LeftoverTask } from '../pool/interfaces/task-queue.ts';
import { consumersAndEnd, isAstray } from './astray-consumers.ts';
import type { QueueConnection } from './connection.ts';
import { EXHAUSTED_CONSUMER, EXHAUSTED_SUBJECTS, STREAM } from './names.ts';
import { isMissing } from './stream-and-consumers.ts';
import { decodeTask } from './task-payload.ts';
import { walkStream } from './walk-stream.ts';

/** More are found by the next look. */
const LIMIT = 1_000;

/**
 * What lies in the stream below the point up to which its consumer has seen everything acknowledged: a NATS that was
 * killed has kept that point and lost the removals. Nobody is ever handed these. None while a consumer is astray, whose
 * point means nothing, and none while a note about a task out of deliveries waits: that one is below the point too.
 *
 * A cluster whose leader died may also forget that a task is in somebody's hands (2.9.10 seen): with none in anybody's,
 * whatever was handed out once is over.
 */
export async function leftoverTasks(connection: QueueConnection): Promise<LeftoverTask[]> {
  const { consumers, lastSequence } = await consumersAndEnd(connection).catch((error: unknown) => {
    if (isMissing(error)) return { consumers: [], lastSequence: 0 };
    throw error;
  });
  if (consumers.length === 0 || consumers.some((info) => isAstray(info, lastSequence))) return [];
  for await (const _ of walkStream(connection, STREAM, EXHAUSTED_SUBJECTS)) return [];
  const found: LeftoverTask[] = [];
  for (const { name, config, ack_floor: floor, delivered, num_ack_pending: inHands } of consumers) {
    if (name === EXHAUSTED_CONSUMER || config.filter_subject === undefined) continue;
    const over = inHands === 0 ? delivered.stream_seq : floor.stream_seq;
    for await (const { seq, subject, data, time } of walkStream(connection, STREAM, config.filter_subject)) {
      if (seq > over || found.length >= LIMIT) break;
      found.push({ sequence: seq, task: decodeTask(subject, data).task, queuedAtMs: time.getTime() });
    }
  }
  return found;
}

/** Takes out those that are still there, and not others with their numbers. Returns how many. */
export async function discardTasks({ manager }: QueueConnection, tasks: readonly LeftoverTask[]): Promise<number> {
  let discarded = 0;
  for (const { sequence, queuedAtMs } of tasks) {
    const stored = await manager.streams.getMessage(STREAM, { seq: sequence });
    if (stored?.time.getTime() !== queuedAtMs) continue;
    if (await manager.streams.deleteMessage(STREAM, sequence, false)) discarded += 1;
  }
  return discarded;
}
