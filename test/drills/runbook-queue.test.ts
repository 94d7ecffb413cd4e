import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { eventually } from '../support/eventually.ts';
import { loseConsumer } from '../support/queue.ts';
import { RunbookDeployment, PATIENT } from '../support/runbook-deployment.ts';
import { template } from '../support/templates.ts';

const STREAM = 'PROVISIONING';
const PROVISION = 'provisioning.provision';
const FULL_HOUSE = template({ pool: { target: 6, max: 40, replenishThreshold: 0 } });

let folder: string;
let engine: LaunchedSimulatedEngine;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-queue-drill-'));
  engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
const open = (): Promise<RunbookDeployment> =>
  RunbookDeployment.open({ simulatedSocket: engine.socketPath, templates: [FULL_HOUSE] });

/** A visitor who comes and one who goes need the workers of both kinds. */
async function comeAndGo(runbook: RunbookDeployment, mayDie?: RegExp): Promise<void> {
  const [first, second] = [await runbook.acquire(), await runbook.acquire()];
  await runbook.release(first);
  await runbook.settled(mayDie === undefined ? {} : { mayDie });
  expect(await runbook.visit(second)).toBe(200);
}

describe('NATS without its consumers', () => {
  it.each(['provision-workers', 'cleanup-workers', 'given-up-tasks'])(
    '%s is put back while the server runs, and the work goes on',
    async (consumer) => {
      await using runbook = await open();
      await loseConsumer(runbook.queue, consumer);
      await comeAndGo(runbook);
      await eventually(
        async () => expect((await runbook.queue.consumers.info(STREAM, consumer)).name).toBe(consumer),
        PATIENT,
      );
      await eventually(
        () =>
          expect(runbook.book.with('the queue workers put them back').map(({ made }) => made)).toEqual([[consumer]]),
        PATIENT,
      );
    },
  );

  it('has all of them again after a restart, as the runbook says', async () => {
    await using runbook = await open();
    await runbook.stack.restart(async () => {
      for (const consumer of ['provision-workers', 'cleanup-workers', 'given-up-tasks'])
        await loseConsumer(runbook.queue, consumer);
    });
    expect(
      await runbook.queue.consumers
        .list(STREAM)
        .next()
        .then((found) => found.map(({ name }) => name).sort()),
    ).toEqual(['cleanup-workers', 'given-up-tasks', 'provision-workers']);
    await comeAndGo(runbook);
  });
});

describe('NATS without its streams', () => {
  it('gets them back while the server runs, and nothing that was in them is missed', async () => {
    await using runbook = await open();
    // Taken first: the tasks of their refill are in the stream that goes.
    const visitors = [await runbook.acquire(), await runbook.acquire(), await runbook.acquire()];
    for (const stream of [STREAM, 'PROVISIONING_DEAD']) expect(await runbook.queue.streams.delete(stream)).toBe(true);
    for (const visitor of visitors) await runbook.release(visitor);
    await comeAndGo(runbook);
  });
});

describe('stuck messages', () => {
  it('that cannot be read are set aside at once, and hold nothing up', async () => {
    await using runbook = await open();
    const queue = jetstream(runbook.nats);
    for (const payload of [
      '',
      'not json',
      '{"v":99,"kind":"provision"}',
      JSON.stringify({ v: 1, kind: 'provision', id: '../../etc', template: 'tiny' }),
    ])
      await queue.publish(PROVISION, payload);
    await comeAndGo(runbook, /^the payload/);
    expect(runbook.book.with('Unreadable task set aside as dead')).toHaveLength(4);
    await eventually(
      async () => expect(await runbook.metric('try_it_now_queue_dead{stream="PROVISIONING_DEAD"}')).toBe(4),
      PATIENT,
    );
  });

  it(
    'of visitors who are long gone are worked off in no time: a thousand provisions without a ticket, ' +
      'cleanups of the unknown',
    async () => {
      await using runbook = await open();
      const queue = jetstream(runbook.nats);
      const ids = Array.from({ length: 1_000 }, () => newInstanceId());
      await Promise.all(
        ids.map((id) => queue.publish(PROVISION, JSON.stringify({ v: 1, kind: 'provision', id, template: 'tiny' }))),
      );
      await Promise.all(
        ids
          .slice(0, 200)
          .map((id) =>
            queue.publish('provisioning.cleanup.node0', JSON.stringify({ v: 1, kind: 'cleanup', id, node: 'node0' })),
          ),
      );
      await comeAndGo(runbook);
    },
  );
});
