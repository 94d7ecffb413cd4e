import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { HeldWire } from '../../test/support/held-wire.ts';
import {
  Gate,
  RecordingHandlers,
  SOON_AGAIN,
  TestNats,
  cleanupTask,
  loseConsumer,
  provisionTask,
} from '../../test/support/queue.ts';
import type { TaskQueue } from '../pool/interfaces/task-queue.ts';
import { queueDepth } from './depth.ts';
import { tasksReach } from './tasks-reach.ts';

/** Publishes until NATS takes it. */
async function published(queue: TaskQueue) {
  const task = provisionTask();
  await eventually(() => queue.publishProvision([task]));
  return task;
}

/** What the workers say they put back, however many looks that took. */
const madeAgain = (nats: TestNats): unknown[] =>
  nats.log.with('the queue workers put them back').flatMap(({ fields }) => fields['made']);

/** Each task once: a publish whose confirmation came late was made twice. */
const seenBy = (handlers: RecordingHandlers): string[] => [...new Set(handlers.ids())];

describe.concurrent('workers go on by themselves', () => {
  it('after NATS was restarted, with what was queued before and with what comes after', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const gate = new Gate();
    handlers.work = () => gate.passed();
    // An ack that the restart cut off is made up for soon, however often it takes.
    const { connection } = await nats.workers(handlers, { count: 1, policy: { ...SOON_AGAIN, attempts: 1_000 } });
    const { queue } = await nats.publisher();
    const before = [provisionTask(), provisionTask()];
    for (const task of before) await queue.publishProvision([task]);
    await eventually(() => expect(handlers.ids()).toEqual([before[0]?.id]));
    expect(await tasksReach(connection, 'node0')).toBe(true);
    await nats.down();
    await eventually(() => expect(connection.connected).toBe(false));
    expect(await tasksReach(connection, 'node0')).toBe(false);
    await nats.up();
    await eventually(async () => expect(await tasksReach(connection, 'node0')).toBe(true));
    gate.open();
    await eventually(() => expect(handlers.ids()).toEqual(before.map(({ id }) => id)));
    const after = await published(queue);
    await eventually(() => expect(seenBy(handlers)).toEqual([...before, after].map(({ id }) => id)));
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(0));
    expect(connection.connected).toBe(true);
    // One line for each edge on each of the two connections, and none about lost streams.
    expect(nats.log.with('NATS disconnected')).toHaveLength(2);
    expect(nats.log.with('NATS reconnected')).toHaveLength(2);
    expect(nats.log.with('put them back')).toEqual([]);
  });

  it('on another connection, when theirs fell silent and never closes', async () => {
    await using nats = await TestNats.start();
    await using wire = await HeldWire.to({ host: '127.0.0.1', port: Number(new URL(nats.url).port) });
    const handlers = new RecordingHandlers();
    const connection = await nats.connect({ url: `nats://127.0.0.1:${wire.port}`, pingIntervalMs: 200 });
    // A task that goes to a pull of the silent connection comes round soon, however often that happens.
    await nats.workers(handlers, { connection, policy: { ...SOON_AGAIN, attempts: 1_000 } });
    const { connection: direct, queue } = await nats.publisher();
    wire.holdAt('reply', 1);
    await wire.held;
    const during = await published(queue);
    await eventually(() => expect(seenBy(handlers)).toEqual([during.id]));
    // What was sent on the silent connection arrives at last: pulls whose worker has long asked elsewhere.
    wire.letGo();
    const after = await published(queue);
    await eventually(() => expect(seenBy(handlers)).toEqual([during.id, after.id]));
    await eventually(async () => expect((await queueDepth(direct)).total).toBe(0));
  });

  it('after NATS came back empty', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers);
    await nats.down();
    await nats.up({ emptied: () => undefined });
    await eventually(() =>
      expect(madeAgain(nats)).toEqual([
        'PROVISIONING',
        'PROVISIONING_DEAD',
        'provision-workers',
        'cleanup-workers',
        'given-up-tasks',
      ]),
    );
    const { queue } = await nats.publisher();
    const task = await published(queue);
    await eventually(() => expect(seenBy(handlers)).toEqual([task.id]));
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(0));
  });

  it.each(['provision-workers', 'cleanup-workers', 'given-up-tasks'])(
    'after an operator deleted the consumer %s',
    async (name) => {
      await using nats = await TestNats.start();
      const handlers = new RecordingHandlers();
      const { connection } = await nats.workers(handlers);
      await loseConsumer(connection.manager, name);
      await eventually(() => expect(madeAgain(nats)).toEqual([name]));
      const { queue } = await nats.publisher();
      const [provision, cleanup] = [await published(queue), cleanupTask()];
      await queue.publishCleanup(cleanup);
      await eventually(() => expect(seenBy(handlers).sort()).toEqual([provision.id, cleanup.id].sort()));
    },
  );

  it('after the consumer was deleted while every worker of it was busy', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const gate = new Gate();
    handlers.work = ({ task }) => (task.id === busy.id ? gate.passed() : undefined);
    const { connection } = await nats.workers(handlers, { count: 1 });
    const { queue } = await nats.publisher();
    const busy = await published(queue);
    await eventually(() => expect(handlers.ids()).toEqual([busy.id]));
    await loseConsumer(connection.manager, 'provision-workers');
    gate.open();
    const next = await published(queue);
    await eventually(() => expect(handlers.ids()).toContain(next.id));
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(0));
    // How often the new consumer hands `busy` out again is open: its ack may have gone to the one that was gone, and a
    // publish whose confirmation came late was made twice. Nothing else may have been handled, and nothing is left out.
    expect(new Set(handlers.ids())).toEqual(new Set([busy.id, next.id]));
    expect(handlers.abandonments).toEqual([]);
  });

  it('after an operator deleted the streams', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers);
    await connection.manager.streams.delete('PROVISIONING_DEAD');
    await connection.manager.streams.delete('PROVISIONING');
    await eventually(() =>
      expect(madeAgain(nats)).toEqual(expect.arrayContaining(['PROVISIONING', 'PROVISIONING_DEAD', 'given-up-tasks'])),
    );
    const { queue } = await nats.publisher();
    const task = await published(queue);
    await eventually(() => expect(seenBy(handlers)).toEqual([task.id]));
    await eventually(async () => expect(await queueDepth(connection)).toMatchObject({ total: 0, dead: 0 }));
  });

  it('once the stream that stood in their way is gone, after saying so once', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers);
    await nats.down();
    await nats.up({
      emptied: async ({ manager }) => {
        await manager.streams.add({ name: 'IN_THE_WAY', subjects: ['provisioning.>'] });
      },
    });
    const complaint = 'Queue workers cannot reach their consumers on NATS';
    await eventually(() => expect(nats.log.with(complaint)).toHaveLength(1));
    await connection.manager.streams.delete('IN_THE_WAY');
    await eventually(() => expect(nats.log.with('reach their consumers on NATS again')).toHaveLength(1));
    const { queue } = await nats.publisher();
    const task = await published(queue);
    await eventually(() => expect(seenBy(handlers)).toEqual([task.id]));
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(0));
    expect(nats.log.with(complaint)).toHaveLength(1);
  });
});
