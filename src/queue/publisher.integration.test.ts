import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { RecordingHandlers, TestNats, cleanupTask, provisionTask } from '../../test/support/queue.ts';
import { suspend } from '../../test/support/suspend.ts';
import { listDead, retryDead } from './dead-letters.ts';
import { queueDepth } from './depth.ts';
import { ensureStreams } from './stream-and-consumers.ts';

const unavailable = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'queue_unavailable', message: expect.stringMatching(message) as unknown });

describe('publishing', () => {
  it('stores every task of a batch, and the same task as often as it is published', async () => {
    await using nats = await TestNats.start();
    const { queue, connection } = await nats.publisher();
    await ensureStreams(connection);
    const tasks = Array.from({ length: 3_000 }, provisionTask);
    await queue.publishProvision(tasks);
    const cleanup = cleanupTask('node7');
    await queue.publishCleanup(cleanup);
    await queue.publishCleanup(cleanup);
    const { state } = await connection.manager.streams.info('PROVISIONING', { subjects_filter: '>' });
    expect(state.subjects).toEqual({ 'provisioning.provision': 3_000, 'provisioning.cleanup.node7': 2 });
    await expect(queue.publishProvision([])).resolves.toBeUndefined();
  });

  it('makes the streams when they are not there, without any worker', async () => {
    await using nats = await TestNats.start();
    const { queue, connection } = await nats.publisher();
    await queue.publishProvision(Array.from({ length: 20 }, provisionTask));
    expect((await queueDepth(connection)).total).toBe(20);
    expect(nats.log.with('the publisher made them').map(({ fields }) => fields['made'])).toEqual([
      ['PROVISIONING', 'PROVISIONING_DEAD'],
    ]);
  });

  it('gives the stream back the subjects that an older server took from it as it started', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers, { node: 'node1' });
    const { config } = await connection.manager.streams.info('PROVISIONING');
    const subjects = config.subjects.filter((subject) => subject !== 'provisioning.provision.*');
    expect(subjects).toHaveLength(config.subjects.length - 1);
    await connection.manager.streams.update('PROVISIONING', { subjects });
    const { queue } = await nats.publisher();
    const tasks = [provisionTask('node1'), provisionTask('node1')];
    await queue.publishProvision(tasks);
    await eventually(() => expect(handlers.ids().sort()).toEqual(tasks.map(({ id }) => id).sort()));
    expect((await connection.manager.streams.info('PROVISIONING')).config.subjects).toEqual(config.subjects);
  });

  it('is refused at once while NATS is down, and nothing of it arrives later', async () => {
    await using nats = await TestNats.start();
    // So patient that the test ends in its own timeout if the refusal waited for an answer.
    const { queue, connection } = await nats.publisher(10 * 60_000);
    await ensureStreams(connection);
    await nats.down();
    await eventually(() => expect(connection.connected).toBe(false));
    const refused = unavailable(
      /^20 of 20 tasks could not be queued on NATS at nats:\/\/127\.0\.0\.1:\d+: it is disconnected/,
    );
    await expect(queue.publishProvision(Array.from({ length: 20 }, provisionTask))).rejects.toEqual(refused);
    await expect(queue.publishCleanup(cleanupTask())).rejects.toMatchObject({ code: 'queue_unavailable' });
    await nats.up();
    await eventually(() => expect(connection.connected).toBe(true));
    await eventually(() => queue.publishProvision([provisionTask()]));
    expect((await queueDepth(connection)).total).toBe(1);
  });

  it('gives up when a NATS that hangs does not answer in time', async () => {
    await using nats = await TestNats.start();
    const { queue, connection } = await nats.publisher(200);
    await ensureStreams(connection);
    await suspend(nats.server);
    try {
      await expect(queue.publishProvision([provisionTask(), provisionTask()])).rejects.toEqual(
        unavailable(/^2 of 2 tasks .* timeout/),
      );
    } finally {
      nats.server.signal('SIGCONT');
    }
  });

  it('says how many tasks a full stream refused', async () => {
    await using nats = await TestNats.start();
    const { queue, connection } = await nats.publisher();
    await ensureStreams(connection);
    await connection.manager.streams.update('PROVISIONING', { max_msgs_per_subject: 2 });
    await expect(queue.publishProvision([provisionTask(), provisionTask(), provisionTask()])).rejects.toEqual(
      unavailable(/^1 of 3 tasks .* maximum messages per subject exceeded/),
    );
    // The other kind has room of its own.
    await queue.publishCleanup(cleanupTask());
  });

  it('refuses a node that cannot be part of a subject, and queues nothing', async () => {
    await using nats = await TestNats.start();
    const { queue, connection } = await nats.publisher();
    await ensureStreams(connection);
    for (const node of ['', 'a.b', '*', '>', 'a b'])
      await expect(queue.publishCleanup(cleanupTask(node))).rejects.toMatchObject({ code: 'invalid_config' });
    expect((await queueDepth(connection)).total).toBe(0);
  });
});

describe('a dead task', () => {
  it('can be queued again as it was, and is then dead no more', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    handlers.work = () => {
      throw new Error('no luck');
    };
    const { connection } = await nats.workers(handlers, { node: 'node1' });
    const { queue } = await nats.publisher();
    const [first, second] = [cleanupTask('node1'), provisionTask('node1')];
    await queue.publishCleanup(first);
    await eventually(async () => expect(await listDead(connection, 10)).toHaveLength(1));
    await queue.publishProvision([second]);
    const dead = await eventually(async () => {
      const found = await listDead(connection, 10);
      expect(found).toHaveLength(2);
      return found;
    });
    expect(await listDead(connection, 1)).toEqual([dead[0]]);
    handlers.calls.length = 0;
    handlers.work = () => undefined;
    expect(await retryDead(connection, dead[0]?.deadSequence ?? 0)).toBe(true);
    await eventually(() =>
      expect(handlers.calls.map(({ task, context }) => ({ task, attempt: context.attempt }))).toEqual([
        { task: first, attempt: 1 },
      ]),
    );
    expect((await listDead(connection, 10)).map(({ subject }) => subject)).toEqual(['provisioning.provision.node1']);
    expect(await retryDead(connection, dead[0]?.deadSequence ?? 0)).toBe(false);
  });
});
