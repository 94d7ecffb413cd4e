import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProvisionTask } from '../../src/domain/task.ts';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { eventually } from '../support/eventually.ts';
import { RunbookDeployment, PATIENT } from '../support/runbook-deployment.ts';
import { template } from '../support/templates.ts';

const STREAM = 'PROVISIONING';

let folder: string;
let engine: LaunchedSimulatedEngine;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-stuck-'));
  engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Every port of the range but those in use belongs to another program, so that no start succeeds. */
async function occupyPorts({ stack }: RunbookDeployment): Promise<AsyncDisposable & { readonly occupied: number }> {
  const { start, end } = stack.config.containers.portRange;
  const others = await Promise.all(
    Array.from({ length: end - start + 1 }, async (_, at) => {
      const server = createServer().listen(start + at, '127.0.0.1');
      return once(server, 'listening').then(
        (): Server[] => [server],
        (): Server[] => [],
      );
    }),
  );
  const close = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve));
  return {
    occupied: others.flat().length,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(others.flat().map(close));
    },
  };
}

describe('a task that keeps failing', () => {
  it('is deleted by its sequence, and the place it was to fill is filled by another', async () => {
    await using runbook = await RunbookDeployment.open({
      simulatedSocket: engine.socketPath,
      templates: [template({ pool: { target: 1, max: 3, replenishThreshold: 0 } })],
    });
    let deleted: ProvisionTask;
    {
      await using others = await occupyPorts(runbook);
      expect(others.occupied).toBeGreaterThan(0);
      await runbook.acquire();
      // What `nats consumer info` shows as outstanding or redelivered, `nats stream get` as the task,
      // and `nats stream rmm` deletes.
      deleted = await eventually(async () => {
        const message = await runbook.queue.streams.getMessage(STREAM, { last_by_subj: 'provisioning.provision' });
        if (message === null) throw new Error('the task is not there any more');
        const task = message.json<ProvisionTask>();
        expect(runbook.book.with('Provision task failed').map(({ id }) => id)).toContain(task.id);
        expect(await runbook.queue.streams.deleteMessage(STREAM, message.seq)).toBe(true);
        return task;
      }, PATIENT);
    }
    await runbook.settled();
    const failed = runbook.book.with('Provision task failed').find(({ id }) => id === deleted.id);
    expect(failed).toMatchObject({
      id: deleted.id,
      template: 'tiny',
      outcome: 'retry',
      reason: expect.stringMatching(/EADDRINUSE|in use/) as unknown,
    });
    expect(await runbook.valkey.hexists('instances', deleted.id)).toBe(0);
    expect(await runbook.stats()).toMatchObject({ ready: 1, assigned: 1, warming: 0, leaving: 0 });
  });
});

describe('the stream purged under load', () => {
  it('costs neither room nor ports: what the purge took is planned again, cleanups included', async () => {
    await using runbook = await RunbookDeployment.open({
      simulatedSocket: engine.socketPath,
      templates: [template({ pool: { target: 8, max: 20, replenishThreshold: 0 } })],
      env: { QUEUE_WORKER_COUNT: '1' },
      taskPatience: { queuedTicketMs: 4_000, newTicketMs: 2_000, cleanupMs: 4_000 },
    });
    let purged = 0;
    const purge = async (): Promise<void> => {
      purged += (await runbook.queue.streams.purge(STREAM)).purged;
    };
    const visits = async (): Promise<void> => {
      const taken = (await Promise.allSettled(Array.from({ length: 8 }, () => runbook.acquire()))).flatMap((got) =>
        got.status === 'fulfilled' ? [got.value] : [],
      );
      await purge();
      await Promise.all(taken.map((visitor) => runbook.release(visitor)));
      await purge();
    };
    // How much a purge meets is up to how far the worker has come.
    for (let round = 0; round < 4 || purged <= 8; round += 1) {
      expect(round).toBeLessThan(20);
      await visits();
      await eventually(async () => expect((await runbook.stats())['ready']).toBeGreaterThan(0), PATIENT);
    }
    await runbook.settled();
    expect(await runbook.stats()).toMatchObject({ ready: 8, assigned: 0, warming: 0, leaving: 0 });
    expect(await runbook.metric('try_it_now_reconcile_repairs_total{kind="ticket"}')).toBeGreaterThan(0);
  });
});
