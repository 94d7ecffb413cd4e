import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import { connectQueue } from '../../src/queue/connection.ts';
import { storeDeadLetter } from '../../src/queue/dead-letters.ts';
import { createPublisher } from '../../src/queue/publisher.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, askAdmin, type AdminAnswer } from '../support/operator.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 30_000 };
type Json = Readonly<Record<string, unknown>>;

function operatorOf(stack: Stack) {
  const ask = (method: string, path: string, body?: unknown): Promise<AdminAnswer> =>
    askAdmin(stack.config.admin.port, method, `/admin/v1${path}`, body === undefined ? {} : { body });
  const list = async (path: string, name: string): Promise<readonly Json[]> =>
    ((await ask('GET', path)).json?.[name] ?? []) as readonly Json[];
  return {
    ask,
    list,
    pool: async (name = 'tiny'): Promise<Json> =>
      (await list('/pools', 'pools')).find((pool) => pool['template'] === name) ?? {},
    acquire: () => fetch(`${stack.api}/api/v1/demo/acquire`, { method: 'POST' }),
  };
}

describe('pools and instances', () => {
  let stack: Stack;
  let operator: ReturnType<typeof operatorOf>;
  beforeAll(async () => {
    stack = await startStack({
      env: { OPERATOR_KEYS: OPERATOR_KEY },
      templates: [
        template({ pool: { target: 3, max: 8, replenishThreshold: 0 } }),
        template({ name: 'other', pool: { target: 1, max: 2, replenishThreshold: 0 } }),
      ],
    });
    operator = operatorOf(stack);
    await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 3 }), PATIENT);
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('tells how a pool does', async () => {
    expect(await operator.pool()).toEqual({
      template: 'tiny',
      mode: 'open',
      since: null,
      deadline: null,
      reason: null,
      ready: 3,
      assigned: 0,
      warming: 0,
      leaving: 0,
      target: 3,
      configured_target: 3,
      capacity: 8,
      breaker: { open: false, failures: 0, retry_in_seconds: 0 },
    });
  });

  it('tells of a breaker that is open, and when the next try comes', async () => {
    const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    try {
      await valkey.hset('refill_pause:other', 'failures', 4, 'until_ms', Date.now() + 60_000);
      expect((await operator.pool('other'))['breaker']).toEqual({
        open: true,
        failures: 4,
        retry_in_seconds: expect.toSatisfy((seconds: number) => seconds > 50 && seconds <= 61) as number,
      });
      await valkey.del('refill_pause:other');
      expect((await operator.pool('other'))['breaker']).toMatchObject({ open: false });
    } finally {
      valkey.disconnect();
    }
  });

  it('pauses one, says so to visitors, and leaves the others alone', async () => {
    const paused = await operator.ask('POST', '/pools/tiny/pause', { reason: 'Back at three' });
    expect(paused.json).toMatchObject({
      mode: 'paused',
      reason: 'Back at three',
      deadline: null,
      since: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
    const refused = await operator.acquire();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30']);
    expect(await refused.json()).toMatchObject({
      code: 'pool_paused',
      reason: 'Back at three',
      detail: expect.stringContaining('Back at three') as string,
    });
    expect(
      (
        await fetch(`${stack.api}/api/v1/demo/acquire`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"template":"other"}',
        })
      ).status,
    ).toBe(201);
    expect((await operator.ask('POST', '/pools/tiny/resume')).json).toMatchObject({
      mode: 'open',
      reason: null,
      since: null,
    });
    expect((await operator.acquire()).status).toBe(201);
  });

  it('scales one up and down, and back to its configuration', async () => {
    expect((await operator.ask('PUT', '/pools/tiny/target', { target: 5 })).json).toMatchObject({
      target: 5,
      configured_target: 3,
    });
    await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 5 }), PATIENT);
    for (const [body, message] of [
      [{ target: 9 }, 'must be <= 8'],
      [{ target: -1 }, '/target must be'],
      [{ target: 'x' }, '/target must be'],
      [{}, '/target must have'],
    ] as const) {
      const refused = await operator.ask('PUT', '/pools/tiny/target', body);
      expect([refused.status, refused.json?.['detail']]).toEqual([400, expect.stringContaining(message)]);
    }
    expect((await operator.ask('PUT', '/pools/tiny/target', { target: null })).json).toMatchObject({ target: 3 });
    expect((await operator.ask('PUT', '/pools/nothing/target', { target: 1 })).json).toMatchObject({
      status: 404,
      code: 'unknown_template',
    });
  });

  it('drains one by the deadline, keeps an extend within it, and fills it again', async () => {
    const held = (await (await operator.acquire()).json()) as { id: string };
    const drained = await operator.ask('POST', '/pools/tiny/drain', { within_seconds: 600, reason: 'Moving' });
    const deadline = drained.json?.['deadline'];
    expect(drained.json).toMatchObject({ mode: 'draining', reason: 'Moving' });
    await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 0, warming: 0 }), PATIENT);
    expect(await operator.pool()).toMatchObject({ assigned: expect.toSatisfy((count: number) => count > 0) as number });
    const sooner = await operator.ask('POST', '/pools/tiny/drain', { within_seconds: 90 });
    expect(Date.parse(String(sooner.json?.['deadline']))).toBeLessThan(Date.parse(String(deadline)));
    const extended = (await (
      await fetch(`${stack.api}/api/v1/demo/${held.id}/extend`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"minutes":4}',
      })
    ).json()) as { expires_at: string };
    expect(extended.expires_at).toBe(sooner.json?.['deadline']);
    await operator.ask('POST', '/pools/tiny/drain', { within_seconds: 0 });
    await eventually(async () => expect(await operator.pool()).toMatchObject({ assigned: 0, leaving: 0 }), PATIENT);
    await operator.ask('POST', '/pools/tiny/resume');
    await eventually(async () => expect(await operator.pool()).toMatchObject({ mode: 'open', ready: 3 }), PATIENT);
  });

  it('refuses what it does not know, and says what', async () => {
    for (const [path, body, message] of [
      ['/pools/tiny/pause', { reasn: 'x' }, '/reasn must NOT'],
      ['/pools/tiny/pause', { reason: 'a\u001bb' }, '/reason must match'],
      ['/pools/tiny/pause', { reason: 'x'.repeat(201) }, '/reason must NOT have more than 200'],
      ['/pools/tiny/drain', { within_seconds: 1.5 }, '/within_seconds must be integer'],
      ['/pools/tiny/drain', { within_seconds: 1e9 }, '/within_seconds must be <='],
      ['/queue/purge', { which: 'all' }, 'must be one of provision, cleanup, dead'],
      ['/queue/purge', undefined, "must have required property 'which'"],
    ] as const) {
      const refused = await operator.ask('POST', path, body);
      expect([refused.status, refused.json?.['detail']]).toEqual([400, expect.stringContaining(message)]);
    }
    for (const query of [
      '/instances?state=lost',
      '/instances?stat=ready',
      '/queue/tasks?limit=0',
      '/queue/dead?limit=1001',
      '/audit?limit=x',
      '/pools?x=1',
    ])
      expect((await operator.ask('GET', query)).json).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(await operator.pool()).toMatchObject({ mode: 'open' });
  });

  it('lists instances, shows one and what it wrote, and ends it no matter who holds it', async () => {
    const held = (await (await operator.acquire()).json()) as { id: string; url: string; expires_at: string };
    const assigned = await operator.list('/instances?state=assigned&template=tiny&node=node0', 'instances');
    expect(assigned).toEqual([
      {
        id: held.id,
        template: 'tiny',
        state: 'assigned',
        node: 'node0',
        container: expect.stringMatching(/^demo-/) as string,
        port: expect.any(Number) as number,
        created_at: expect.any(String) as string,
        expires_at: held.expires_at,
        url: held.url,
        quarantine_reason: null,
        failures: 0,
      },
    ]);
    expect(await operator.list('/instances?node=node7', 'instances')).toEqual([]);
    expect((await operator.ask('GET', `/instances/${held.id}`)).json).toEqual(assigned[0]);
    const logs = await operator.ask('GET', `/instances/${held.id}/logs?tail=2`);
    expect([logs.headers.get('content-type'), logs.text.trimEnd().split('\n')]).toEqual([
      'text/plain; charset=utf-8',
      [expect.any(String), expect.stringMatching(/^GET /)],
    ]);
    expect((await operator.ask('DELETE', `/instances/${held.id}`)).json).toMatchObject({
      id: held.id,
      state: 'releasing',
      url: null,
    });
    await eventually(
      async () =>
        expect((await operator.ask('GET', `/instances/${held.id}`)).json).toMatchObject({
          status: 404,
          code: 'unknown_instance',
        }),
      PATIENT,
    );
    for (const path of [`/instances/${newInstanceId()}`, '/instances/short'])
      expect((await operator.ask('DELETE', path)).json).toMatchObject({ code: 'unknown_instance' });
  });

  it("does not ask this node's engine about a container of another", async () => {
    const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    try {
      const [ready] = await operator.list('/instances?state=ready', 'instances');
      const id = String(ready?.['id']);
      const record = JSON.parse((await valkey.hget('instances', id)) ?? '{}') as Json;
      const elsewhere = newInstanceId();
      await valkey.hset(
        'instances',
        elsewhere,
        JSON.stringify({ ...record, id: elsewhere, node: 'node7', label: 'a'.repeat(20), port: null }),
      );
      expect((await operator.ask('GET', `/instances/${elsewhere}/logs`)).json).toMatchObject({
        status: 409,
        code: 'other_node',
        node: 'node7',
        detail: expect.stringContaining('node7') as string,
      });
      await valkey.hdel('instances', elsewhere);
    } finally {
      valkey.disconnect();
    }
  });
});

describe('the queue', () => {
  let dir: string;
  let engine: Awaited<ReturnType<typeof serveSimulatedEngine>>;
  let stack: Stack;
  let operator: ReturnType<typeof operatorOf>;
  // Apps that take their time: one provision is being worked on, the others wait.
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tin-admin-'));
    const SIMULATED_SOCKET = join(dir, 'engine.sock');
    engine = await serveSimulatedEngine(SIMULATED_SOCKET, new SimulatedHost({ startUpMs: 60_000 }));
    stack = await startStack({
      env: { OPERATOR_KEYS: OPERATOR_KEY, SIMULATED_SOCKET, QUEUE_WORKER_COUNT: '1' },
      templates: [template({ readiness: { path: '/', timeoutMs: 60_000 } })],
    });
    operator = operatorOf(stack);
    await eventually(async () => expect(await tasks()).toHaveLength(3), PATIENT);
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
      node: null,
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
    expect(await operator.pool()).toMatchObject({ warming: 3 });
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
    expect(await operator.pool()).toMatchObject({ warming: 3 });
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
    expect(await operator.pool()).toMatchObject({ warming: 3 });
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
