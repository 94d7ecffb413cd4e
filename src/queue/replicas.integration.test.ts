import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { NatsCluster } from '../../test/support/nats-cluster.ts';
import { eventually } from '../../test/support/eventually.ts';
import { LogBook, QUICK, RecordingHandlers, TestNats, cleanupTask, provisionTask } from '../../test/support/queue.ts';
import { connectQueue, type QueueConnection } from './connection.ts';
import { ensureEventStreams } from './event-stream.ts';
import { createPublisher } from './publisher.ts';
import { ensureStreams } from './stream-and-consumers.ts';
import { startWorkers } from './worker.ts';

const log = new LogBook();

/** How many servers keep it, and have what the others have. */
function copies({ cluster }: StreamInfo | ConsumerInfo): number {
  if (cluster?.leader === undefined) return 0;
  return 1 + (cluster.replicas ?? []).filter(({ current, offline }) => current && !offline).length;
}

async function everyCopy({ manager }: QueueConnection): Promise<number[]> {
  const found: number[] = [];
  for await (const stream of manager.streams.list()) {
    // The list says nothing of followers.
    found.push(copies(await manager.streams.info(stream.config.name)));
    for await (const { name } of manager.consumers.list(stream.config.name))
      found.push(copies(await manager.consumers.info(stream.config.name, name)));
  }
  return found;
}

it('keeps streams and consumers on as many servers as is set, up and down, with the tasks in them', async () => {
  await using cluster = await NatsCluster.start();
  /** As a process that starts; 4 streams and 3 consumers then are there. */
  const asSet = async (replicas: number, handlers: RecordingHandlers): Promise<void> => {
    const connection = await connectQueue({ url: cluster.url, replicas, log });
    try {
      await ensureEventStreams(connection);
      const workers = await startWorkers({ connection, node: 'node0', count: 2, handlers, log, policy: QUICK });
      await eventually(async () => expect(await everyCopy(connection)).toEqual(Array<number>(7).fill(replicas)));
      await workers.stop(10_000);
    } finally {
      await connection.close();
    }
  };
  await asSet(1, new RecordingHandlers());
  const connection = await connectQueue({ url: cluster.url, log });
  const queue = createPublisher({ connection, log });
  const tasks = [provisionTask(), provisionTask()];
  const cleanup = cleanupTask('node7');
  await queue.publishCleanup(cleanup);
  await queue.publishProvision(tasks);
  const handlers = new RecordingHandlers();
  await asSet(3, handlers);
  await asSet(1, handlers);
  await asSet(3, handlers);
  expect(handlers.ids().sort()).toEqual(tasks.map(({ id }) => id).sort());
  // What is acknowledged while it changes, nats-server 2.9.10 leaves in the stream and hands to nobody.
  await queue.discard(await queue.leftovers());
  expect((await connection.manager.streams.info('PROVISIONING')).state.messages).toBe(1);

  await expect(asSet(5, handlers)).rejects.toMatchObject({
    code: 'queue_unavailable',
    message: expect.stringMatching(
      /^QUEUE_REPLICAS is 5, but NATS at .* has not so many servers to keep the stream \w+ on .*lower QUEUE_REPLICAS$/,
    ) as string,
  });
  // What is put back while processes with another setting run leaves the number as it is.
  await ensureStreams(connection);
  expect((await connection.manager.streams.info('PROVISIONING')).config.num_replicas).toBe(3);
  await connection.close();
});

it('says that a lone server keeps nothing more than once', async () => {
  await using nats = await TestNats.start();
  const connection = await connectQueue({ url: nats.url, replicas: 3, log });
  await expect(ensureStreams(connection)).rejects.toMatchObject({
    message: expect.stringMatching(/^QUEUE_REPLICAS is 3, but NATS at .* to keep the stream PROVISIONING on/) as string,
  });
  await connection.close();
});
