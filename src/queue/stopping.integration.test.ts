import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { Gate, QUICK, RecordingHandlers, SOON_AGAIN, TestNats, provisionTask } from '../../test/support/queue.ts';
import { queueDepth } from './depth.ts';

describe('stopping', () => {
  it('waits for handlers in flight and takes no more tasks', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const gate = new Gate();
    handlers.work = () => gate.passed();
    const workers = await nats.workers(handlers, { count: 2, policy: SOON_AGAIN });
    const { queue, connection } = await nats.publisher();
    await queue.publishProvision([provisionTask()]);
    await eventually(() => expect(workers.inFlight).toBe(1));
    let stopped = false;
    const stop = workers.stop(600_000).then(() => {
      stopped = true;
    });
    const later = provisionTask();
    await queue.publishProvision([later]);
    expect(stopped).toBe(false);
    expect(handlers.calls[0]?.context.signal.aborted).toBe(false);
    gate.open();
    await stop;
    expect(handlers.calls).toHaveLength(1);
    expect(handlers.calls[0]?.context.signal.aborted).toBe(false);
    // A pull that was on its way may have met the task: it is handed back then, and comes round a little later.
    const other = new RecordingHandlers();
    await nats.workers(other, { policy: SOON_AGAIN });
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(0));
    expect(other.ids()).toEqual([later.id]);
    expect(handlers.calls).toHaveLength(1);
  });

  it('aborts what is unfinished after the grace, and another worker gets the task long before ack_wait', async () => {
    await using nats = await TestNats.start();
    const [first, second] = [new RecordingHandlers(), new RecordingHandlers()];
    first.work = ({ context: { signal } }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('told to stop'))));
    // So patient with silent workers that only a task handed back can come round within the test.
    const policy = { ...QUICK, ackWaitMs: 600_000 };
    const workers = await nats.workers(first, { policy });
    const { queue, connection } = await nats.publisher();
    const task = provisionTask();
    await queue.publishProvision([task]);
    await eventually(() => expect(workers.inFlight).toBe(1));
    await workers.stop(50);
    await workers.connection.close();
    await nats.workers(second, { policy });
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(0));
    // Not which attempt: nats-server 2.9 counts from 1 when a redelivery meets only pulls that are about to be renewed.
    expect(second.ids()).toEqual([task.id]);
    expect(first.abandonments).toEqual([]);
  });

  it('does not wait for a handler that does not listen: its task goes to another worker after ack_wait', async () => {
    await using nats = await TestNats.start();
    const [first, second] = [new RecordingHandlers(), new RecordingHandlers()];
    const gate = new Gate();
    first.work = () => gate.passed();
    const workers = await nats.workers(first, { policy: SOON_AGAIN });
    const { queue, connection } = await nats.publisher();
    const task = provisionTask();
    await queue.publishProvision([task]);
    await eventually(() => expect(workers.inFlight).toBe(1));
    await nats.workers(second, { policy: SOON_AGAIN });
    await workers.stop(50);
    expect(workers.inFlight).toBe(1);
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(0));
    expect(second.ids()).toEqual([task.id]);
    gate.open();
    await eventually(() => expect(workers.inFlight).toBe(0));
  });
});
