import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { AckPolicy, DiscardPolicy, RetentionPolicy, StorageType, type Consumer } from '@nats-io/jetstream';
import type { StreamConfig } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';
import type { CheckpointShare, Transfer } from '../pool/interfaces/checkpoint-share.ts';
import { connectQueue, type QueueConnection, type QueueConnectionOptions } from './connection.ts';
import {
  CHECKPOINT_STREAM,
  CHECKPOINT_SUBJECTS,
  EVERY_CHECKPOINT_END,
  EVERY_CHECKPOINT_PIECES,
  checkpointEnd,
  checkpointOfSubject,
  checkpointPieces,
  checkpointSubjects,
} from './names.ts';
import { ensureStream, isMissing } from './stream-and-consumers.ts';

const ARCHIVES: Partial<StreamConfig> & { name: string } = {
  name: CHECKPOINT_STREAM,
  description: 'Archives of the checkpoints that Try It Now restores, on their way from node to node',
  subjects: [CHECKPOINT_SUBJECTS],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.New,
};

/** Half of what NATS takes in one message if nobody says otherwise. */
const PIECE_BYTES = 512 * 1024;
/** So many are under way at a time, in either direction: what a transfer holds in memory. */
const WINDOW = 8;
const PIECE_TIMEOUT_MS = 30_000;
/** Of the archive, and not of NATS. */
const PASSED_ON: readonly ErrorCode[] = ['unknown_checkpoint', 'checkpoint_damaged'];
/** A reader that says nothing for so long is forgotten by NATS. */
const READER_LIFE_MS = 60_000;

/**
 * A stream of NATS, for fleets that have no folder in common. Each transfer has a connection of its own, or tasks would
 * wait behind it.
 */
export function checkpointStream(options: QueueConnectionOptions): CheckpointShare {
  return new CheckpointStream(options);
}

class CheckpointStream implements CheckpointShare {
  readonly name = `NATS (stream ${CHECKPOINT_STREAM})`;
  readonly #options: QueueConnectionOptions;

  constructor(options: QueueConnectionOptions) {
    this.#options = options;
  }

  list(): Promise<ReadonlyMap<string, number>> {
    return this.#connected('list what is in it', async ({ manager }) => {
      try {
        const found = new Map<string, number>();
        for (const id of await idsOf(manager, EVERY_CHECKPOINT_END)) {
          const sizeBytes = await sizeOf(manager, id);
          if (sizeBytes !== undefined) found.set(id, sizeBytes);
        }
        return found;
      } catch (error) {
        if (isMissing(error)) return new Map();
        throw error;
      }
    });
  }

  put(id: string, archive: string, transfer: Transfer): Promise<void> {
    return this.#connected(`leave ${id} there`, async (connection) => {
      await ensureStream(connection, ARCHIVES);
      const { jetstream, manager } = connection;
      const purge = () => manager.streams.purge(CHECKPOINT_STREAM, { filter: checkpointSubjects(id) });
      // What an upload that was cut short left.
      await purge();
      try {
        await using file = await open(archive, 'r');
        const sizeBytes = await send(connection, checkpointPieces(id), file, transfer);
        await jetstream.publish(checkpointEnd(id), String(sizeBytes), { timeout: PIECE_TIMEOUT_MS });
      } catch (error) {
        // Pieces that fill NATS would keep tasks from being queued. Where this fails as well, whoever tidies does it.
        await purge().catch(() => undefined);
        throw error;
      }
    });
  }

  fetch(id: string, file: string, transfer: Transfer): Promise<void> {
    return this.#connected(`fetch ${id}`, async (connection) => {
      const { manager, jetstream } = connection;
      const sizeBytes = await sizeOf(manager, id).catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      });
      if (sizeBytes === undefined)
        throw new TryItNowError('unknown_checkpoint', `The checkpoint ${id} is not in ${this.name}`);
      const { name, num_pending } = await manager.consumers.add(CHECKPOINT_STREAM, {
        // Without a name the rights that are needed would be others.
        name: `fetch-${randomBytes(8).toString('hex')}`,
        filter_subject: checkpointPieces(id),
        ack_policy: AckPolicy.None,
        inactive_threshold: nanos(READER_LIFE_MS),
      });
      if (num_pending === 0 && sizeBytes > 0) throw cutShort(0, sizeBytes);
      await using to = await open(file, 'wx', 0o600);
      await receive(await jetstream.consumers.get(CHECKPOINT_STREAM, name), to, sizeBytes, transfer);
      await to.sync();
      await manager.consumers.delete(CHECKPOINT_STREAM, name);
    });
  }

  tidy(): Promise<void> {
    return this.#connected('remove what was cut short', async ({ manager }) => {
      try {
        const whole = new Set(await idsOf(manager, EVERY_CHECKPOINT_END));
        for (const id of await idsOf(manager, EVERY_CHECKPOINT_PIECES))
          if (!whole.has(id)) await manager.streams.purge(CHECKPOINT_STREAM, { filter: checkpointSubjects(id) });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  remove(id: string): Promise<void> {
    return this.#connected(`remove ${id}`, async ({ manager }) => {
      try {
        await manager.streams.purge(CHECKPOINT_STREAM, { filter: checkpointSubjects(id) });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  async #connected<T>(what: string, work: (connection: QueueConnection) => Promise<T>): Promise<T> {
    let connection: QueueConnection | undefined;
    try {
      connection = await connectQueue(this.#options);
      return await work(connection);
    } catch (error) {
      if (error instanceof TryItNowError && PASSED_ON.includes(error.code)) throw error;
      throw new TryItNowError('checkpoint_share_unavailable', `${this.name} did not ${what}: ${describeError(error)}`, {
        cause: error,
      });
    } finally {
      await connection?.close();
    }
  }
}

/** Of the archives that have a message under such a subject. */
async function idsOf(manager: QueueConnection['manager'], subjects: string): Promise<readonly string[]> {
  const { state } = await manager.streams.info(CHECKPOINT_STREAM, { subjects_filter: subjects });
  return Object.keys(state.subjects ?? {}).map(checkpointOfSubject);
}

/** Undefined for one that is not there whole. */
async function sizeOf(manager: QueueConnection['manager'], id: string): Promise<number | undefined> {
  const end = await manager.streams.getMessage(CHECKPOINT_STREAM, { last_by_subj: checkpointEnd(id) });
  return end === null ? undefined : Number(end.string());
}

/** Returns how many bytes there were. Nothing is under way any more when it ends, however it does. */
async function send(
  { jetstream, nats }: QueueConnection,
  subject: string,
  file: FileHandle,
  { onBytes, signal }: Transfer,
): Promise<number> {
  const pieceBytes = Math.min(PIECE_BYTES, nats.info?.max_payload ?? PIECE_BYTES);
  const underWay: Promise<unknown>[] = [];
  let sent = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const piece = Buffer.allocUnsafe(pieceBytes);
      const { bytesRead } = await file.read(piece, 0, pieceBytes, null);
      if (bytesRead > 0) {
        const publish = jetstream.publish(subject, piece.subarray(0, bytesRead), { timeout: PIECE_TIMEOUT_MS });
        // It is thrown where it is waited for.
        publish.catch(() => undefined);
        underWay.push(publish);
      }
      if (bytesRead === 0 || underWay.length >= WINDOW) {
        await Promise.all(underWay);
        underWay.length = 0;
      }
      sent += bytesRead;
      onBytes(sent);
      if (bytesRead === 0) return sent;
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}

/**
 * Throws checkpoint_damaged once no more is to come, and what came was all there is. What was under way in a connection
 * that broke is lost, and is not sent again on the next one: that says nothing of the archive.
 */
async function receive(
  consumer: Consumer,
  to: FileHandle,
  sizeBytes: number,
  { onBytes, signal }: Transfer,
): Promise<void> {
  let received = 0;
  let pieces = 0;
  while (received < sizeBytes) {
    const before = received;
    for await (const { data, info } of await consumer.fetch({ max_messages: WINDOW, expires: PIECE_TIMEOUT_MS })) {
      signal.throwIfAborted();
      pieces += 1;
      if (info.deliverySequence !== pieces)
        throw new Error(`the connection broke, and pieces ${pieces} to ${info.deliverySequence - 1} were lost with it`);
      for (let at = 0; at < data.length;) at += (await to.write(data, at)).bytesWritten;
      received += data.length;
      onBytes(received);
      if (received >= sizeBytes) return;
      if (info.pending === 0) throw cutShort(received, sizeBytes);
    }
    if (received === before) throw new Error(`only ${received} of ${sizeBytes} bytes came`);
  }
}

function cutShort(received: number, sizeBytes: number): TryItNowError {
  return new TryItNowError('checkpoint_damaged', `Only ${received} of ${sizeBytes} bytes of it are in NATS`);
}
