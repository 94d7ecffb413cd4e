import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { RecordingHandlers, TestNats, cleanupTask, provisionTask } from '../../test/support/queue.ts';
import { Shared, runChecks } from '../doctor/check.ts';
import { natsChecks } from '../doctor/nats.ts';
import { resetAstrayConsumers } from './astray-consumers.ts';
import type { QueueConnection } from './connection.ts';
import { queueDepth } from './depth.ts';
import { ensureStreamsAndConsumers, DELIVERY_POLICY } from './stream-and-consumers.ts';

const empty = (connection: QueueConnection) =>
  eventually(async () => expect((await queueDepth(connection)).total).toBe(0));

async function connectedAgain(connection: QueueConnection): Promise<void> {
  await eventually(() => expect(connection.connected).toBe(true));
}

describe.concurrent('a NATS that comes back without some of its files', () => {
  it('whose consumers remember more than the stream: doctor says so, and they begin again', async () => {
    await using nats = await TestNats.start();
    const handlers = new RecordingHandlers();
    const { connection } = await nats.workers(handlers);
    const { queue } = await nats.publisher();
    await queue.publishProvision([provisionTask(), provisionTask(), provisionTask()]);
    await queue.publishCleanup(cleanupTask());
    await eventually(() => expect(handlers.calls).toHaveLength(4));
    await empty(connection);
    expect(await resetAstrayConsumers(connection)).toEqual([]);
    await nats.whileDown((taskFiles) => rm(taskFiles, { recursive: true }));
    await connectedAgain(connection);

    const next = provisionTask();
    await eventually(() => queue.publishProvision([next]));
    const said = await runChecks(natsChecks(new Shared(() => Promise.resolve(connection), 'absent'), 'node0'));
    expect(said.find(({ what }) => what === 'consumer provision-workers')).toMatchObject({
      verdict: 'failure',
      // One, or more when a publish whose confirmation came late was made again.
      seen: expect.stringMatching(
        /^remembers task 3, but the stream has only come to [12]: NATS lost tasks .*, and nothing more is handed out$/,
      ) as string,
    });
    const losses: string[] = [];
    connection.onTasksLost(() => losses.push('lost'));
    expect(await resetAstrayConsumers(connection)).toEqual(
      expect.arrayContaining(['provision-workers', 'cleanup-workers']),
    );
    expect(losses).toEqual(['lost']);
    await eventually(() => expect(handlers.ids()).toContain(next.id));
    await empty(connection);
    expect(await resetAstrayConsumers(connection)).toEqual([]);
  });

  it('where the removal of tasks was lost: they are told from those still to be done, and discarded', async () => {
    await using nats = await TestNats.start();
    const { connection, queue } = await nats.publisher();
    await ensureStreamsAndConsumers(connection, 'node0', DELIVERY_POLICY);
    const done = [provisionTask(), provisionTask(), cleanupTask()] as const;
    await queue.publishProvision([done[0], done[1]]);
    await queue.publishCleanup(done[2]);
    const elsewhere = cleanupTask('node9');
    await queue.publishCleanup(elsewhere);
    const saved = await mkdtemp(join(tmpdir(), 'tin-task-files-'));
    await nats.whileDown((taskFiles) => cp(taskFiles, saved, { recursive: true }));
    await connectedAgain(connection);
    expect(await queue.leftovers()).toEqual([]);

    const handlers = new RecordingHandlers();
    const workers = await nats.workers(handlers);
    await eventually(() => expect(handlers.calls).toHaveLength(3));
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(1));
    await workers.stop(1_000);
    await nats.whileDown(async (taskFiles) => {
      await rm(taskFiles, { recursive: true });
      await cp(saved, taskFiles, { recursive: true });
    });
    await rm(saved, { recursive: true });
    await connectedAgain(connection);
    const waiting = provisionTask();
    await eventually(() => queue.publishProvision([waiting]));

    const left = await queue.leftovers();
    expect(left.map(({ task }) => task?.id).sort()).toEqual(done.map(({ id }) => id).sort());
    const [first] = left;
    if (first === undefined) throw new Error('nothing is left over');
    expect(await queue.discard([{ ...first, queuedAtMs: first.queuedAtMs - 1 }])).toBe(0);
    expect(await queue.discard(left)).toBe(3);
    expect(await queue.discard(left)).toBe(0);
    expect(await queue.leftovers()).toEqual([]);
    await nats.workers(handlers);
    await eventually(() => expect(handlers.ids()).toContain(waiting.id));
    expect(handlers.calls).toHaveLength(4);
    await eventually(async () => expect((await queueDepth(connection)).total).toBe(1));
  });
});
