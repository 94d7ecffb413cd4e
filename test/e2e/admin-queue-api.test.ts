import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import { connectQueue } from '../../src/queue/connection.ts';
import { storeDeadLetter } from '../../src/queue/dead-letters.ts';
import { createPublisher } from '../../src/queue/publisher.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, operatorOf, type Json } from '../support/operator.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { readiness, template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };

describe('the queue', () => {
  let dir: string;
  let engine: Awaited<ReturnType<typeof serveSimulatedEngine>>;
  let stack: Stack;
  let operator: ReturnType<typeof operatorOf>;
  // Apps that take their time: one provision is being worked on, the others wait.
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tin-admin-'));
    const SIMULATED_SOCKET = join(dir, 'engine.sock');
    engine = await serveSimulatedEngine(SIMULATED_SOCKET, new SimulatedHost({ startUpMs: 600_000 }));
    stack = await startStack({
      env: { OPERATOR_KEYS: OPERATOR_KEY, SIMULATED_SOCKET, QUEUE_WORKER_COUNT: '1' },
      templates: [template({ readiness: readiness('/', 600_000) })],
    });
    operator = operatorOf(stack);
    await eventually(async () => {
      expect(await tasks()).toHaveLength(3);
      expect((await operator.ask('GET', '/queue')).json).toMatchObject({
        consumers: expect.arrayContaining([
          expect.objectContaining({ name: 'provision-workers', pending: 2, in_flight: 1 }),
        ]) as unknown,
      });
    }, PATIENT);
  });
  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
    await engine.close();
    await rm(dir, { recursive: true });
  });
  const tasks = () => operator.list('/queue/tasks', 'tasks');
  const idsOf = (found: readonly Json[]) => found.map(({ id }) => id);

  it('tells what waits and who works on it, and takes nothing', async () => {
    const before = await tasks();
    expect(before[0]).toEqual({
      sequence: expect.any(Number) as number,
      kind: 'provision',
      id: expect.any(String) as string,
      template: 'tiny',
      node: 'node0',
      queued_at: expect.any(String) as string,
    });
    const { stream, consumers, dead } = (await operator.ask('GET', '/queue')).json as {
      stream: Json;
      consumers: Json[];
      dead: Json;
    };
    expect([stream['messages'], dead, stream['oldest_at']]).toEqual([3, { messages: 0 }, before[0]?.['queued_at']]);
    expect(consumers).toContainEqual({
      name: 'provision-workers',
      pending: 2,
      in_flight: 1,
      redelivered: 0,
      waiting_pulls: 0,
    });
    expect(await tasks()).toEqual(before);
    expect(await operator.list('/queue/tasks?limit=1', 'tasks')).toEqual(before.slice(0, 1));
  });

  it('drops one, and the pool plans another in its place', async () => {
    const [, , last] = await tasks();
    expect((await operator.ask('DELETE', `/queue/tasks/${String(last?.['sequence'])}`)).json).toMatchObject({
      id: last?.['id'],
    });
    await eventually(async () =>
      expect(idsOf(await tasks())).toEqual([
        expect.any(String),
        expect.any(String),
        expect.not.stringMatching(String(last?.['id'])),
      ]),
    );
    await eventually(async () => expect(await operator.pool()).toMatchObject({ warming: 3 }));
    for (const sequence of [String(last?.['sequence']), '999999', '0', 'x', '-1', '1e3'])
      expect((await operator.ask('DELETE', `/queue/tasks/${sequence}`)).json).toMatchObject({
        status: 404,
        code: 'unknown_task',
      });
  });

  it('is purged of provisions, and the pool plans them again at once; what is being worked on goes on', async () => {
    const before = idsOf(await tasks());
    expect((await operator.ask('POST', '/queue/purge', { which: 'provision' })).json).toEqual({ purged: 3 });
    await eventually(async () => expect(await tasks()).toHaveLength(2));
    expect(before).not.toEqual(expect.arrayContaining(idsOf(await tasks()).slice(0, 1)));
    await eventually(async () => expect(await operator.pool()).toMatchObject({ warming: 3 }));
    expect(await operator.list('/instances?state=warming', 'instances')).toMatchObject([{ id: before[0] }]);
  });

  it('gives an instance up that is being prepared, with its room', async () => {
    const [warming] = await operator.list('/instances?state=warming', 'instances');
    expect((await operator.ask('DELETE', `/instances/${String(warming?.['id'])}`)).json).toMatchObject({
      state: 'releasing',
    });
    await eventually(
      async () => expect((await operator.ask('GET', `/instances/${String(warming?.['id'])}`)).status).toBe(404),
      PATIENT,
    );
    await eventually(async () => expect(await operator.pool()).toMatchObject({ warming: 3 }));
  });

  it('shows dead tasks, queues them again one by one or all, forgets and purges them', async () => {
    const connection = await connectQueue({ ...stack.config.nats, log: silent });
    try {
      const die = (sequence: number, id = newInstanceId()) =>
        storeDeadLetter(connection, {
          subject: 'provisioning.cleanup.node0',
          payload: new TextEncoder().encode(JSON.stringify({ v: 1, kind: 'cleanup', id, node: 'node0' })),
          sequence,
          publishedAt: new Date(1_800_000_000_000),
          attempts: 5,
          reason: 'the engine is gone',
        });
      for (const sequence of [101, 102, 103, 104, 105]) await die(sequence);
      await storeDeadLetter(connection, {
        subject: 'provisioning.cleanup.node0',
        payload: new TextEncoder().encode('{'),
        sequence: 106,
        publishedAt: new Date(1_800_000_000_000),
        attempts: 1,
        reason: 'unreadable',
      });
      const dead = await operator.list('/queue/dead', 'dead');
      expect(dead).toHaveLength(6);
      expect(dead[0]).toEqual({
        sequence: 1,
        kind: 'cleanup',
        id: expect.any(String) as string,
        template: null,
        reason: 'the engine is gone',
        failure: null,
        attempts: 5,
        queued_at: '2027-01-15T08:00:00.000Z',
        died_at: expect.any(String) as string,
      });
      expect(dead[5]).toMatchObject({ kind: 'cleanup', id: null, template: null });
      expect((await operator.ask('POST', '/queue/dead/1/retry')).json).toEqual({ retried: 1 });
      expect((await operator.ask('POST', '/queue/dead/1/retry')).json).toMatchObject({
        status: 404,
        code: 'unknown_task',
      });
      expect((await operator.ask('DELETE', '/queue/dead/2')).json).toMatchObject({
        sequence: 2,
        reason: 'the engine is gone',
      });
      expect((await operator.ask('DELETE', '/queue/dead/2')).json).toMatchObject({ code: 'unknown_task' });
      // The unreadable one dies again, and is not taken up a second time.
      expect((await operator.ask('POST', '/queue/dead/retry')).json).toEqual({ retried: 4 });
      await eventually(
        async () => expect(await operator.list('/queue/dead', 'dead')).toMatchObject([{ kind: 'cleanup', id: null }]),
        PATIENT,
      );
      expect((await operator.ask('POST', '/queue/purge', { which: 'dead' })).json).toEqual({ purged: 1 });
      expect(await operator.list('/queue/dead', 'dead')).toEqual([]);
      // Nobody works for that node, so its tasks stay until they are purged.
      await createPublisher({ connection, log: silent }).publishCleanup({
        v: 1,
        kind: 'cleanup',
        id: newInstanceId(),
        node: 'node9',
      });
      expect((await tasks()).at(-1)).toMatchObject({ kind: 'cleanup', node: 'node9', template: null });
      expect((await operator.ask('POST', '/queue/purge', { which: 'cleanup' })).json).toEqual({ purged: 1 });
    } finally {
      await connection.close();
    }
  });

  it('says plainly that NATS is unavailable', async () => {
    await stack.nats.server.stop();
    for (const path of ['/queue', '/queue/tasks', '/queue/dead'])
      await eventually(async () =>
        expect((await operator.ask('GET', path)).json).toMatchObject({
          status: 503,
          code: 'queue_unavailable',
          detail: expect.stringContaining('NATS at') as string,
        }),
      );
  });

  it('keeps who did what, with what came of it', async () => {
    const entries = await operator.list('/audit', 'entries');
    expect(entries.at(-1)).toMatchObject({
      who: expect.stringMatching(/^key:[0-9a-f]{8}$/) as string,
      action: 'queue.drop',
      outcome: 'done',
    });
    expect(entries).toContainEqual(
      expect.objectContaining({ action: 'queue.purge which=provision', on: 'all', outcome: 'done' }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({ action: 'queue.retry', on: '1', outcome: 'unknown_task' }),
    );
    expect(entries.every(({ at }) => Date.parse(String(at)) > Date.now() - 600_000)).toBe(true);
  });
});
