import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { Gate, RecordingHandlers, TestNats, cleanupTask, provisionTask } from '../../test/support/queue.ts';
import type { QueueConnection } from './connection.ts';
import { queueDepth } from './depth.ts';
import { STREAM } from './names.ts';
import { MOST_IN_HAND } from './worker.ts';

/** Nothing in the stream: nothing can be delivered any more. */
const drained = (connection: QueueConnection) =>
  eventually(async () => expect((await queueDepth(connection)).total).toBe(0));

describe('workers', () => {
  it('handle as many tasks of each kind at once as their count says, and no more', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const gate = new Gate();
    handlers.work = () => gate.passed();
    const { connection } = await nats.workers(handlers, { count: 3 });
    const { queue } = await nats.publisher();
    await queue.publishProvision(Array.from({ length: 8 }, provisionTask));
    await Promise.all(Array.from({ length: 8 }, () => queue.publishCleanup(cleanupTask())));
    await eventually(() => expect(handlers.running).toEqual({ provision: 3, cleanup: 3 }));
    await eventually(async () =>
      expect((await queueDepth(connection)).consumers).toEqual(
        expect.arrayContaining([
          { consumer: 'provision-workers', pending: 5, outstanding: 3, redelivered: 0 },
          { consumer: 'cleanup-workers', pending: 5, outstanding: 3, redelivered: 0 },
        ]),
      ),
    );
    gate.open();
    await drained(connection);
    expect(handlers.mostAtOnce).toEqual({ provision: 3, cleanup: 3 });
    expect(new Set(handlers.ids()).size).toBe(16);
    expect(handlers.calls).toHaveLength(16);
  });

  it('have one request of each kind wait at NATS while nothing comes, however many of them are free', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers, { count: 3 });
    const waiting = async (): Promise<number[]> => {
      const counts: number[] = [];
      for await (const consumer of connection.manager.consumers.list(STREAM)) counts.push(consumer.num_waiting);
      return counts;
    };
    await eventually(async () => expect(Math.min(...(await waiting()))).toBe(1));
    // What they sent before this has come.
    await connection.nats.flush();
    expect(await waiting()).toEqual([1, 1, 1]);
  });

  it('clean up while every provision slot is busy', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const gate = new Gate();
    handlers.work = ({ task }) => (task.kind === 'provision' ? gate.passed() : undefined);
    const { connection } = await nats.workers(handlers, { count: 2 });
    const { queue } = await nats.publisher();
    await queue.publishProvision(Array.from({ length: 6 }, provisionTask));
    await eventually(() => expect(handlers.running.provision).toBe(2));
    const cleanup = cleanupTask();
    await queue.publishCleanup(cleanup);
    await eventually(() => expect(handlers.ids()).toContain(cleanup.id));
    expect(handlers.running.provision).toBe(2);
    gate.open();
    await drained(connection);
  });

  it('clean up while as many provisions wait for others as a process takes in hand', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const gate = new Gate();
    handlers.work = ({ task, context }) => {
      if (task.kind === 'cleanup') return undefined;
      context.yieldWorker();
      return gate.passed();
    };
    const { connection } = await nats.workers(handlers, { count: 1 });
    const { queue } = await nats.publisher();
    await queue.publishProvision(Array.from({ length: MOST_IN_HAND + 1 }, provisionTask));
    await eventually(() => expect(handlers.running.provision).toBe(MOST_IN_HAND));
    const cleanups = [cleanupTask(), cleanupTask(), cleanupTask()];
    for (const cleanup of cleanups) await queue.publishCleanup(cleanup);
    await eventually(() => expect(handlers.ids()).toEqual(expect.arrayContaining(cleanups.map(({ id }) => id))));
    expect(handlers.running.provision).toBe(MOST_IN_HAND);
    gate.open();
    await drained(connection);
  });

  it('take cleanup tasks of their own node only', async () => {
    await using nats = await TestNats.start();
    const [first, second] = [new RecordingHandlers(), new RecordingHandlers()];
    const { connection } = await nats.workers(first);
    const { queue } = await nats.publisher();
    const [other, own] = [cleanupTask('node1'), cleanupTask('node0')];
    await queue.publishCleanup(other);
    await queue.publishCleanup(own);
    await eventually(async () => {
      expect(first.ids()).toEqual([own.id]);
      expect((await queueDepth(connection)).total).toBe(1);
    });
    await nats.workers(second, { node: 'node1' });
    await drained(connection);
    expect(second.ids()).toEqual([other.id]);
    expect(first.ids()).toEqual([own.id]);
    expect((await queueDepth(connection)).consumers.map(({ consumer }) => consumer).sort()).toEqual([
      'cleanup-workers',
      'cleanup-workers-node1',
      'given-up-tasks',
      'provision-workers',
      'provision-workers-node1',
    ]);
  });

  it('take the provision tasks of their own node only, those without one on the first', async () => {
    await using nats = await TestNats.start();
    const [first, second] = [new RecordingHandlers(), new RecordingHandlers()];
    const { connection } = await nats.workers(first);
    await nats.workers(second, { node: 'node1' });
    const { queue } = await nats.publisher();
    const [unnamed, own, other] = [provisionTask(), provisionTask('node0'), provisionTask('node1')];
    await queue.publishProvision([unnamed, own, other]);
    await drained(connection);
    expect(first.ids().sort()).toEqual([unnamed.id, own.id].sort());
    expect(second.ids()).toEqual([other.id]);
  });

  it('fetch no provision task while their node has no room, but clean up, and go on once it has', async () => {
    await using nats = await TestNats.start();
    const full = new RecordingHandlers();
    let room = false;
    await nats.workers(full, { node: 'full', hasRoom: () => room });
    const { queue, connection } = await nats.publisher();
    await queue.publishProvision([provisionTask('full'), provisionTask('full')]);
    await queue.publishCleanup(cleanupTask('full'));
    await eventually(() => expect(full.calls.map(({ task }) => task.kind)).toEqual(['cleanup']));
    expect(await queue.provisions()).toEqual({ waiting: 2, outstanding: 0 });
    room = true;
    await drained(connection);
    expect(full.calls).toHaveLength(3);
  });

  it('of two processes share the work, and no task is handled twice', async () => {
    await using nats = await TestNats.start();
    const [first, second] = [new RecordingHandlers(), new RecordingHandlers()];
    const bothAtWork = new Gate();
    for (const handlers of [first, second])
      handlers.work = () => {
        if (first.calls.length > 0 && second.calls.length > 0) bothAtWork.open();
        return bothAtWork.passed();
      };
    const { connection } = await nats.workers(first);
    await nats.workers(second);
    const { queue } = await nats.publisher();
    const tasks = Array.from({ length: 200 }, provisionTask);
    await queue.publishProvision(tasks);
    await drained(connection);
    expect([...first.ids(), ...second.ids()].sort()).toEqual(tasks.map(({ id }) => id).sort());
  });
});
