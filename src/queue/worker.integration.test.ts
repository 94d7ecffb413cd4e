import type { JsMsg } from '@nats-io/jetstream';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import {
  Gate,
  QUICK,
  RecordingHandlers,
  SOON_AGAIN,
  TestNats,
  cleanupTask,
  provisionTask,
} from '../../test/support/queue.ts';
import type { Task } from '../domain/task.ts';
import { NO_TRACER } from '../domain/tracer.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { listDead } from './dead-letters.ts';
import { deliver, type DeliveryContext, type TaskOutcome } from './delivery.ts';
import { queueDepth } from './depth.ts';
import type { QueueConnection } from './connection.ts';
import { STREAM } from './names.ts';
import { ensureStreamsAndConsumers } from './stream-and-consumers.ts';

/** Nothing in the stream: nothing can be delivered any more. */
const drained = (connection: QueueConnection) =>
  eventually(async () => expect((await queueDepth(connection)).total).toBe(0));

describe('a task', () => {
  it('is handled once and leaves the stream', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers);
    const { queue } = await nats.publisher();
    const [provision, cleanup] = [provisionTask(), cleanupTask()];
    await queue.publishProvision([provision]);
    await queue.publishCleanup(cleanup);
    await drained(connection);
    expect(handlers.calls.map(({ task, context }) => ({ task, attempt: context.attempt }))).toEqual(
      expect.arrayContaining([
        { task: provision, attempt: 1 },
        { task: cleanup, attempt: 1 },
      ]),
    );
    expect(handlers.calls).toHaveLength(2);
  });

  it('that fails is tried again after a pause, and each failure is logged', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const outcomes: TaskOutcome[] = [];
    handlers.work = ({ context }) => {
      if (context.attempt < 3) throw new Error(`no luck ${context.attempt}`);
    };
    const { connection } = await nats.workers(handlers, {
      observer: { redelivered: () => undefined, taskEnded: (_kind, outcome) => outcomes.push(outcome) },
    });
    const { queue } = await nats.publisher();
    const task = provisionTask();
    await queue.publishProvision([task]);
    await drained(connection);
    expect(handlers.calls.map(({ context }) => context.attempt)).toEqual([1, 2, 3]);
    expect(
      nats.log
        .with('Provision task failed')
        .map(({ message, fields }) => [message, fields['id'], fields['template'], fields['attempt'], fields['reason']]),
    ).toEqual([
      ['Provision task failed', task.id, 'hello', 1, 'no luck 1'],
      ['Provision task failed', task.id, 'hello', 2, 'no luck 2'],
    ]);
    expect(nats.log.with('Provision task failed')[0]?.fields['retryInMs']).toBeGreaterThanOrEqual(
      QUICK.backoff.baseMs / 2,
    );
    expect(outcomes).toEqual(['retried', 'retried', 'done']);
    expect(handlers.abandonments).toEqual([]);
    expect((await queueDepth(connection)).dead).toBe(0);
  });

  it('that keeps failing is kept as dead with its payload and reason, and abandoned once', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    handlers.work = () => {
      throw new Error('the image is\nbroken');
    };
    const { connection } = await nats.workers(handlers);
    const { queue } = await nats.publisher();
    const task = cleanupTask();
    await queue.publishCleanup(task);
    await drained(connection);
    expect(handlers.calls.map(({ context }) => context.attempt)).toEqual([1, 2, 3]);
    expect(handlers.abandonments).toEqual([{ task, reason: 'the image is\nbroken', unseen: false }]);
    expect(nats.log.with('Cleanup task failed')).toHaveLength(3);
    const [dead, ...more] = await listDead(connection, 10);
    expect(more).toEqual([]);
    expect(JSON.parse(new TextDecoder().decode(dead?.payload))).toEqual(task);
    expect(dead).toMatchObject({
      subject: 'provisioning.cleanup.node0',
      reason: 'the image is broken',
      attempts: 3,
      sequence: 1,
      deadSequence: 1,
    });
    expect(dead?.publishedAt.getTime()).toBeGreaterThan(0);
  });

  it('is not handed out a second time while its handler is slower than ack_wait', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const ackWaitMs = 300;
    handlers.work = () => sleep(4 * ackWaitMs);
    const { connection } = await nats.workers(handlers, { policy: { ...QUICK, ackWaitMs, attempts: 1_000 } });
    const { queue } = await nats.publisher();
    await queue.publishProvision([provisionTask()]);
    await drained(connection);
    expect(handlers.calls).toHaveLength(1);
    expect(nats.log.with('failed')).toEqual([]);
  });

  it('is not handled twice when the process stood still for longer than ack_wait', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const gate = new Gate();
    handlers.work = () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900);
      return gate.passed();
    };
    const { connection } = await nats.workers(handlers, { policy: { ...QUICK, ackWaitMs: 300, attempts: 1_000 } });
    const { queue } = await nats.publisher();
    await queue.publishProvision([provisionTask()]);
    await eventually(() => expect(nats.log.with('delivered again').length).toBeGreaterThan(0));
    gate.open();
    await drained(connection);
    expect(handlers.calls).toHaveLength(1);
  });

  it('whose ack got lost is acked when it comes again, and not handled twice', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { queue, connection } = await nats.publisher();
    const { provision } = await ensureStreamsAndConsumers(connection, 'node0', SOON_AGAIN);
    const consumer = connection.jetstream.consumers.getConsumerFromInfo(provision);
    await queue.publishProvision([provisionTask()]);
    const context: DeliveryContext = {
      connection,
      policy: SOON_AGAIN,
      handlers,
      log: nats.log,
      observer: undefined,
      tracer: NO_TRACER,
      stopping: new AbortController().signal,
      signal: new AbortController().signal,
      inHand: new Set(),
      unconfirmed: new Set(),
    };

    const first = await consumer.next({ expires: 30_000 });
    if (first === null) throw new Error('nothing was delivered');
    // Between our ack and a server that drops it is only the wire.
    first.ackAck = () => Promise.reject(new Error('timeout'));
    await deliver(context, 'provision', first);
    expect((await queueDepth(connection)).total).toBe(1);

    const again = await consumer.next({ expires: 30_000 });
    expect([again?.seq, again?.info.deliveryCount]).toEqual([first.seq, 2]);
    if (again !== null) await deliver(context, 'provision', again);
    await drained(connection);
    expect(handlers.calls).toHaveLength(1);
  });

  it('whose worker died goes to another after ack_wait', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { queue, connection } = await nats.publisher();
    await ensureStreamsAndConsumers(connection, 'node0', SOON_AGAIN);
    const task = provisionTask();
    await queue.publishProvision([task]);
    await takeAndDie(connection);
    await nats.workers(handlers, { policy: SOON_AGAIN });
    await drained(connection);
    expect(handlers.ids()).toEqual([task.id]);
  });

  it('whose workers died on every attempt ends up dead, though nobody listened when NATS stopped', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { queue, connection } = await nats.publisher();
    await ensureStreamsAndConsumers(connection, 'node0', SOON_AGAIN);
    const task = provisionTask();
    await queue.publishProvision([task]);
    for (let delivery = 1; delivery <= SOON_AGAIN.attempts; delivery += 1) await takeAndDie(connection);
    // One more pull is what makes the server notice that the attempts are used up.
    const handle = await connection.jetstream.consumers.get('PROVISIONING', 'provision-workers');
    const taken: (JsMsg | null)[] = [];
    await eventually(async () => {
      taken.push(await handle.next({ expires: 2 * SOON_AGAIN.ackWaitMs }));
      expect((await connection.manager.consumers.info('PROVISIONING', 'given-up-tasks')).num_pending).toBe(1);
    });
    expect(taken.filter((message) => message !== null)).toEqual([]);

    await nats.workers(handlers, { policy: SOON_AGAIN });
    await drained(connection);
    expect(handlers.calls).toEqual([]);
    expect(handlers.abandonments.map((abandonment) => abandonment.task)).toEqual([task]);
    expect(handlers.abandonments[0]).toMatchObject({
      reason: expect.stringContaining('3 deliveries') as string,
      unseen: true,
    });
    expect(
      (await listDead(connection, 10)).map(({ subject, attempts, sequence }) => ({ subject, attempts, sequence })),
    ).toEqual([{ subject: 'provisioning.provision', attempts: 3, sequence: 1 }]);
    await eventually(() => expect(nats.log.with('Provision task failed')).toHaveLength(1));
  });

  it('whose abandonment fails is abandoned again until that succeeds, and kept once', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    handlers.work = () => {
      throw new Error('no luck');
    };
    handlers.onAbandoned = () => {
      if (handlers.abandonments.length < 3) throw new Error('the store is unavailable');
    };
    const { connection } = await nats.workers(handlers);
    const { queue } = await nats.publisher();
    const task = provisionTask();
    await queue.publishProvision([task]);
    await drained(connection);
    expect(handlers.calls).toHaveLength(QUICK.attempts);
    expect(handlers.abandonments.map((abandonment) => abandonment.task)).toEqual([task, task, task]);
    expect(await listDead(connection, 10)).toHaveLength(1);
  });
});

describe('a task of a later version', () => {
  const later = (task: Task): string => JSON.stringify({ ...task, v: 2, added: 'tomorrow' });

  it('is left to the workers that have that version, and holds up none of today’s', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers, { policy: { ...QUICK, attempts: 1_000 } });
    const [provision, cleanup, today] = [provisionTask(), cleanupTask('node0'), provisionTask()];
    await connection.jetstream.publish('provisioning.provision', later(provision));
    await connection.jetstream.publish('provisioning.cleanup.node0', later(cleanup));
    const { queue } = await nats.publisher();
    await queue.publishProvision([today]);
    await eventually(() => expect(handlers.ids()).toEqual([today.id]));
    await eventually(() => expect(nats.log.with('Task of a later version').length).toBeGreaterThan(2));
    // A process of tomorrow pulls from the same consumers as those of today.
    const taken: string[] = [];
    for (const name of ['provision-workers', 'cleanup-workers']) {
      const consumer = await connection.jetstream.consumers.get(STREAM, name);
      await eventually(async () => {
        const message = await consumer.next({ expires: 1_000 });
        message?.ack();
        if (message !== null) taken.push(message.json<{ id: string }>().id);
        expect(message).not.toBeNull();
      });
    }
    await drained(connection);
    expect(taken).toEqual([provision.id, cleanup.id]);
    expect(handlers.ids()).toEqual([today.id]);
    expect(handlers.abandonments).toEqual([]);
  });

  it('is kept as dead when no such worker comes', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers);
    const payload = later(provisionTask());
    await connection.jetstream.publish('provisioning.provision', payload);
    await drained(connection);
    expect((await listDead(connection, 2)).map(({ attempts }) => attempts)).toEqual([QUICK.attempts]);
    expect(handlers.abandonments.map(({ task }) => task)).toEqual([undefined]);
  });
});

describe('a payload that cannot be read', () => {
  const payloads: [string, string, string | Uint8Array][] = [
    ['is not JSON', 'provisioning.provision', 'not json'],
    ['is not UTF-8', 'provisioning.provision', Uint8Array.of(0xff, 0xfe)],
    ['is empty', 'provisioning.provision', ''],
    ['is of an earlier version', 'provisioning.provision', JSON.stringify({ ...provisionTask(), v: 0 })],
    ['has a malformed id', 'provisioning.provision', JSON.stringify({ ...provisionTask(), id: '../../etc' })],
    ['is of the other kind', 'provisioning.cleanup.node0', JSON.stringify(provisionTask())],
    ['is addressed to another node', 'provisioning.cleanup.node0', JSON.stringify(cleanupTask('node1'))],
  ];

  it('goes to the dead tasks at once, is counted, and holds nothing up', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const outcomes: TaskOutcome[] = [];
    const { connection } = await nats.workers(handlers, {
      observer: { redelivered: () => undefined, taskEnded: (_kind, outcome) => outcomes.push(outcome) },
    });
    for (const [, subject, payload] of payloads) await connection.jetstream.publish(subject, payload);
    const { queue } = await nats.publisher();
    const good = provisionTask();
    await queue.publishProvision([good]);
    await drained(connection);
    expect(handlers.ids()).toEqual([good.id]);
    expect(handlers.abandonments.map((abandonment) => abandonment.task)).toEqual(payloads.map(() => undefined));
    expect(outcomes.filter((outcome) => outcome === 'unreadable')).toHaveLength(payloads.length);
    const dead = await listDead(connection, 20);
    expect(dead.map(({ attempts }) => attempts)).toEqual(payloads.map(() => 1));
    const asText = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64');
    expect(dead.map(({ payload }) => asText(payload)).sort()).toEqual(
      payloads.map(([, , payload]) => asText(payload)).sort(),
    );
  });
});

/**
 * What a worker does that is killed in the middle of a task. Its pull has had its answer: none is left behind that
 * nats-server 2.9 could mix up the redelivery for.
 */
async function takeAndDie(connection: QueueConnection): Promise<void> {
  const consumer = await connection.jetstream.consumers.get('PROVISIONING', 'provision-workers');
  const message = await consumer.next({ expires: 30_000 });
  if (message === null) throw new Error('there was nothing to take');
}
