import type { StoredMsg } from '@nats-io/jetstream';
import { TryItNowError } from '../domain/errors.ts';
import type { DeadTask, PurgeTarget, QueueAdmin, QueueInfo, QueuedTask } from '../pool/interfaces/queue-admin.ts';
import type { QueueConnection } from './connection.ts';
import { deadTask, retryDead } from './dead-letters.ts';
import {
  CLEANUP_SUBJECTS,
  DEAD_STREAM,
  DEAD_SUBJECTS,
  NODE_PROVISION_SUBJECTS,
  PROVISION_SUBJECT,
  STREAM,
  TASK_SUBJECTS,
  isProvisionSubject,
  livingSubject,
} from './names.ts';
import { decodeTask } from './task-payload.ts';
import { walkStream } from './walk-stream.ts';

const PURGED: Readonly<Record<PurgeTarget, readonly [stream: string, ...filters: string[]]>> = {
  provision: [STREAM, PROVISION_SUBJECT, NODE_PROVISION_SUBJECTS],
  cleanup: [STREAM, CLEANUP_SUBJECTS],
  dead: [DEAD_STREAM, DEAD_SUBJECTS],
};

/** The streams as an operator looks at them and changes them; the workers are not asked. */
export class JetStreamQueueAdmin implements QueueAdmin {
  readonly #connection: QueueConnection;

  constructor(connection: QueueConnection) {
    this.#connection = connection;
  }

  info(): Promise<QueueInfo> {
    return this.#ask('say how much waits', async ({ manager }) => {
      const consumers = [];
      for await (const each of manager.consumers.list(STREAM)) {
        consumers.push({
          name: each.name,
          pending: each.num_pending,
          inFlight: each.num_ack_pending,
          redelivered: each.num_redelivered,
          waitingPulls: each.num_waiting,
        });
      }
      const [{ state }, dead] = await Promise.all([manager.streams.info(STREAM), manager.streams.info(DEAD_STREAM)]);
      return {
        messages: state.messages,
        bytes: state.bytes,
        oldestAtMs: state.messages === 0 ? undefined : Date.parse(state.first_ts),
        consumers: consumers.sort((a, b) => (a.name < b.name ? -1 : 1)),
        dead: dead.state.messages,
      };
    });
  }

  peek(limit: number): Promise<readonly QueuedTask[]> {
    return this.#ask('show what waits', () => this.#collect(STREAM, TASK_SUBJECTS, limit, asQueued));
  }

  listDead(limit: number): Promise<readonly DeadTask[]> {
    return this.#ask('show what is dead', () => this.#collect(DEAD_STREAM, DEAD_SUBJECTS, limit, asDeadTask));
  }

  drop(sequence: number): Promise<QueuedTask | undefined> {
    return this.#ask(`drop task ${sequence}`, () => this.#takeOut(STREAM, sequence, asQueued));
  }

  delete(sequence: number): Promise<DeadTask | undefined> {
    return this.#ask(`delete the dead task ${sequence}`, () => this.#takeOut(DEAD_STREAM, sequence, asDeadTask));
  }

  retry(sequence: number): Promise<DeadTask | undefined> {
    return this.#ask(`queue the dead task ${sequence} again`, async ({ manager }) => {
      const stored = await manager.streams.getMessage(DEAD_STREAM, { seq: sequence });
      return stored !== null && (await retryDead(this.#connection, sequence)) ? asDeadTask(stored) : undefined;
    });
  }

  retryAll(): Promise<number> {
    return this.#ask('queue the dead tasks again', async ({ manager }) => {
      // What dies of its retry comes after it, and is left for the next call.
      const {
        state: { last_seq: last },
      } = await manager.streams.info(DEAD_STREAM);
      let retried = 0;
      for await (const { seq } of walkStream(this.#connection, DEAD_STREAM, DEAD_SUBJECTS)) {
        if (seq > last) break;
        if (await retryDead(this.#connection, seq)) retried += 1;
      }
      return retried;
    });
  }

  purge(which: PurgeTarget): Promise<number> {
    const [stream, ...filters] = PURGED[which];
    return this.#ask(`purge ${which}`, async ({ manager }) => {
      let purged = 0;
      for (const filter of filters) purged += (await manager.streams.purge(stream, { filter })).purged;
      return purged;
    });
  }

  async #takeOut<T>(stream: string, sequence: number, as: (stored: StoredMsg) => T): Promise<T | undefined> {
    const { manager } = this.#connection;
    const stored = await manager.streams.getMessage(stream, { seq: sequence });
    // The stream also holds the server's own notes on what ran out of deliveries.
    if (stored === null || !livingSubject(stored.subject).startsWith(TASK_SUBJECTS.slice(0, -1))) return undefined;
    await manager.streams.deleteMessage(stream, sequence, false);
    return as(stored);
  }

  async #collect<T>(stream: string, subjects: string, limit: number, as: (stored: StoredMsg) => T): Promise<T[]> {
    const found: T[] = [];
    for await (const stored of walkStream(this.#connection, stream, subjects)) {
      found.push(as(stored));
      if (found.length >= limit) break;
    }
    return found;
  }

  async #ask<T>(what: string, question: (connection: QueueConnection) => Promise<T>): Promise<T> {
    const { url, connected } = this.#connection;
    // The client would hold the question back until the server returns.
    if (!connected)
      throw new TryItNowError(
        'queue_unavailable',
        `NATS at ${url} cannot ${what}: it is disconnected; reconnecting goes on in the background`,
        { retryAfterMs: 2_000 },
      );
    try {
      return await question(this.#connection);
    } catch (error) {
      if (error instanceof TryItNowError) throw error;
      throw new TryItNowError('queue_unavailable', `NATS at ${url} could not ${what}`, {
        cause: error,
        retryAfterMs: 2_000,
      });
    }
  }
}

function asQueued({ subject, seq, time, data }: StoredMsg): QueuedTask {
  const { task } = decodeTask(subject, data);
  return {
    sequence: seq,
    kind: isProvisionSubject(subject) ? 'provision' : 'cleanup',
    id: task?.id,
    template: task?.kind === 'provision' ? task.template : undefined,
    node: task?.node,
    queuedAtMs: time.getTime(),
  };
}

function asDeadTask(stored: StoredMsg): DeadTask {
  const { subject, payload, publishedAt, deadSequence, reason, report, attempts, diedAt } = deadTask(
    stored,
    stored.header,
  );
  const task = asQueued({ ...stored, subject, seq: deadSequence, time: publishedAt, data: payload });
  return { ...task, reason, report, attempts, diedAtMs: diedAt.getTime() };
}
