import { TryItNowError } from '../domain/errors.ts';
import { FIRST_NODE } from '../domain/node.ts';
import type { NodeQueue } from '../pool/interfaces/node-queue.ts';
import type { QueueConnection } from './connection.ts';
import {
  STREAM,
  TASK_SUBJECTS,
  cleanupConsumer,
  cleanupSubject,
  nodeOfProvision,
  provisionConsumer,
  provisionSubject,
} from './names.ts';
import { isMissing } from './stream-and-consumers.ts';
import { decodeTask } from './task-payload.ts';
import { walkStream } from './walk-stream.ts';

/** More are found by the next look. */
const LIMIT = 500;

type Recallable = Awaited<ReturnType<NodeQueue['recallable']>>;

export function createNodeQueue(connection: QueueConnection): NodeQueue {
  const ask = async <T>(what: string, question: () => Promise<T>): Promise<T> => {
    try {
      return await question();
    } catch (error) {
      throw new TryItNowError('queue_unavailable', `NATS at ${connection.url} ${what}`, { cause: error });
    }
  };
  return {
    recallable: (keep) => ask('does not say what waits for nodes', () => recallable(connection, keep)),
    forgetNode: (node) => ask(`does not forget node ${node}`, () => forgetNode(connection, node)),
  };
}

async function recallable(connection: QueueConnection, keep: (node: string) => boolean): Promise<Recallable> {
  const found: Recallable[number][] = [];
  for (const subject of await usedSubjects(connection)) {
    const node = nodeOfProvision(subject);
    if (node === undefined || keep(node)) continue;
    for await (const { seq, data, time } of walkStream(connection, STREAM, subject)) {
      found.push({ node, sequence: seq, task: decodeTask(subject, data).task, queuedAtMs: time.getTime() });
      if (found.length >= LIMIT) return found;
    }
  }
  return found;
}

/** Those with a task on them. */
async function usedSubjects({ manager }: QueueConnection): Promise<string[]> {
  try {
    const { state } = await manager.streams.info(STREAM, { subjects_filter: TASK_SUBJECTS });
    return Object.keys(state.subjects ?? {});
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The first node's consumers stay: operators rely on them, and it may come back. */
async function forgetNode({ manager }: QueueConnection, node: string): Promise<void> {
  for (const filter of [provisionSubject(node), cleanupSubject(node)]) await manager.streams.purge(STREAM, { filter });
  if (node === FIRST_NODE) return;
  for (const consumer of [provisionConsumer(node), cleanupConsumer(node)]) {
    await manager.consumers.delete(STREAM, consumer).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}
