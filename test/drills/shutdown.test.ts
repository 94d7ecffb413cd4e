import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { describe, expect, it } from 'vitest';
import { newInstanceId } from '../../src/domain/ids.ts';
import type { ChildServer } from '../../src/launcher/child-server.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { readRecords, type Entry } from '../support/state-audit.ts';
import { eventually } from '../support/eventually.ts';
import { Program } from '../support/program.ts';
import { RunbookDeployment, PATIENT, type Line } from '../support/runbook-deployment.ts';
import { suspend } from '../support/suspend.ts';
import { template } from '../support/templates.ts';

const STREAM = 'PROVISIONING';
/** So much longer than the grace that a start in the middle of it can only be cut off. */
const SLOW_START_MS = 7_000;

/** Of one case alone, so that cases may run side by side. */
async function ownFolder(): Promise<{ readonly folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'tin-shutdown-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** The parts of a stack without its server: the built program takes its place, once or several times. */
async function partsOnly(simulatedSocket: string, target = 2): Promise<RunbookDeployment> {
  const runbook = await RunbookDeployment.open(
    { simulatedSocket, templates: [template({ name: 'default', pool: { target, max: 8, replenishThreshold: 0 } })] },
    { full: false },
  );
  await runbook.stack.app.stop();
  return runbook;
}

async function serve(
  { stack: { config, valkey, nats, caddy, api } }: RunbookDeployment,
  simulatedSocket: string,
  grace: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const [{ start, end }, { pool }] = [
    config.containers.portRange,
    template({ pool: config.templates[0]?.pool ?? template().pool }),
  ];
  const program = new Program(['serve'], {
    CONTAINER_MODE: 'simulated',
    SIMULATED_SOCKET: simulatedSocket,
    CONTAINER_IMAGE: 'localhost/unused',
    CONTAINER_PORT: String(config.templates[0]?.port),
    VALKEY_ADDR: valkey.address,
    NATS_URL: nats.url,
    CADDY_ADMIN_URL: caddy.adminUrl,
    PROXY_LISTEN: config.proxy.listen,
    SERVER_PORT: new URL(api).port,
    ADMIN_ADDR: `127.0.0.1:${config.admin.port}`,
    DISCOVERY_ADDR: `127.0.0.1:${config.proxy.discovery.port}`,
    DEPLOYMENT: config.deployment,
    CONTAINER_PORT_RANGE_START: String(start),
    CONTAINER_PORT_RANGE_END: String(end),
    RATE_LIMIT_HOURLY: '0',
    RATE_LIMIT_DAILY: '0',
    CRIU_ENABLED: 'false',
    POOL_TARGET_SIZE: String(pool.target),
    POOL_MAX_SIZE: String(pool.max),
    QUEUE_WORKER_COUNT: '2',
    SHUTDOWN_GRACE: grace,
    // What was cut off is handed out again this much later.
    QUEUE_ACK_WAIT: '6s',
    ...env,
  });
  await eventually(() => expect(program.output).toContain('Try It Now started'), PATIENT);
  return program;
}

function linesOf({ output }: Program): Line[] {
  return output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));
}

/** What a store is said to be that is well, on a machine that stands still for seconds; no stop brings it about. */
const SLOW = /it has not answered for a while|Command timed out/;

/** What it wrote as an error, and what it wrote that is no log line at all. */
function errorsOf(program: Program): unknown[] {
  const foreign = program.output.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  return [
    ...foreign,
    ...linesOf(program)
      .filter(({ level }) => String(level) === 'error' || String(level) === 'fatal')
      .filter((line) => !SLOW.test(JSON.stringify(line))),
  ];
}

/** Which of these messages stood in the log, in their order. */
function order(program: Program, ...messages: readonly string[]): string[] {
  return linesOf(program)
    .map(({ msg }) => msg)
    .filter((msg) => messages.includes(msg));
}

/** A request whose headers have arrived, since the server has asked for the rest, and whose body has not. */
async function halfARequest(api: string): Promise<{ readonly socket: Socket; finish(): Promise<string> }> {
  const socket = connect(Number(new URL(api).port), '127.0.0.1').setEncoding('utf8');
  let heard = '';
  socket.on('data', (text: string) => {
    heard += text;
  });
  // A cut connection is what some of these tests would fail with.
  socket.on('error', (error) => {
    heard += String(error);
  });
  const closed = once(socket, 'close');
  socket.write(
    'POST /api/v1/demo/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: ' +
      'application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n',
  );
  await eventually(() => expect(heard).toContain('100 Continue'), PATIENT);
  return {
    socket,
    finish: async () => {
      socket.write('{}');
      await closed;
      return heard;
    },
  };
}

/** Takes each task that is left, as the next server would. */
async function expectEveryTaskToBeHad({ queue, nats }: RunbookDeployment): Promise<void> {
  const consumer = await jetstream(nats).consumers.get(STREAM, 'provision-workers');
  const { messages } = (await queue.streams.info(STREAM)).state;
  for (let left = messages; left > 0; left -= 1) {
    // One that was on the wire to a worker in the moment it stopped comes after the ack wait.
    const task = await consumer.next({ expires: 30_000 });
    expect(await task?.ackAck(), 'a task is never handed out again').toBe(true);
  }
  await eventually(async () => expect((await queue.streams.info(STREAM)).state.messages).toBe(0), PATIENT);
}

async function readyOf(runbook: RunbookDeployment): Promise<number> {
  return (await readRecords(runbook.auditTarget)).filter(({ state }) => state === 'ready').length;
}

describe.concurrent('SIGTERM', () => {
  it('answers what was asked before, takes nothing more, and leaves in order without a complaint', async () => {
    await using own = await ownFolder();
    const { folder } = own;
    await using engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
    await using runbook = await partsOnly(engine.socketPath);
    await using program = await serve(runbook, engine.socketPath, '60s');
    await runbook.settled();
    const { api } = runbook.stack;
    const asked = await halfARequest(api);
    program.signal('SIGTERM');
    await eventually(() => expect(program.output).toContain('Shutting down'), PATIENT);

    // Either nobody takes the connection any more, or the answer says why. One that waited to be taken is cut.
    const late = await eventually(async () => {
      const answer = await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' }).then(
        async (response) => `${response.status} ${await response.text()}`,
        (error: unknown) => String((error as Error).cause),
      );
      expect(answer).not.toMatch(/^201/);
      return answer;
    }, PATIENT);
    expect(late).toMatch(/ECONNREFUSED|ECONNRESET|other side closed|^503 .*shutting_down/);
    const answer = await asked.finish();
    expect(answer).toContain('HTTP/1.1 201 Created');
    expect(await program.exitCode).toBe(0);
    expect(errorsOf(program)).toEqual([]);
    expect(order(program, 'Shutting down', 'Queue workers stopped', 'Shut down')).toEqual([
      'Shutting down',
      'Queue workers stopped',
      'Shut down',
    ]);

    // Nothing of it is left in the parts: neither a task that nobody else gets nor a connection.
    await expectEveryTaskToBeHad(runbook);
    await eventually(
      async () =>
        expect(
          ((await runbook.valkey.client('LIST')) as string).split('\n').filter((line) => line.includes('cmd=')).length,
        ).toBeLessThanOrEqual(3),
      PATIENT,
    );
    // What it handed out last is that visitor's.
    const { id, url } = JSON.parse(answer.slice(answer.indexOf('{"'))) as { id: string; url: string };
    expect((await readRecords(runbook.auditTarget)).find((record) => record.id === id)).toMatchObject({
      state: 'assigned',
    });
    expect(await runbook.visit({ url })).toBe(200);
  });

  it('has load balancers stay off first, and serves whoever comes meanwhile', async () => {
    await using own = await ownFolder();
    await using engine = await launchSimulatedEngine({ socketPath: join(own.folder, 'engine.sock') });
    await using runbook = await partsOnly(engine.socketPath);
    // For longer than this case lasts: its end is not waited for.
    await using program = await serve(runbook, engine.socketPath, '60s', { SHUTDOWN_DRAIN: '5m' });
    await runbook.settled();
    const look = async (path: string) => {
      const answer = await fetch(`${runbook.stack.api}${path}`);
      return [answer.status, await answer.json()] as const;
    };
    expect(await look('/ready')).toEqual([200, { status: 'ready' }]);
    program.signal('SIGTERM');
    await eventually(
      async () => expect(await look('/ready')).toEqual([503, expect.objectContaining({ code: 'shutting_down' })]),
      PATIENT,
    );
    expect(await look('/health')).toEqual([200, { status: 'ok' }]);
    const taken = await runbook.acquire();
    expect(await runbook.visit(taken)).toBe(200);
    program.signal('SIGTERM');
    expect(await program.exitCode).toBe(143);
  });

  it(
    'cuts off a provision that outlasts the grace, and the next start takes it up ' +
      'as what came meanwhile, nothing doubled',
    async () => {
      await using own = await ownFolder();
      const { folder } = own;
      const socketPath = join(folder, 'slow.sock');
      const host = new SimulatedHost({ startUpMs: SLOW_START_MS });
      const engine = await serveSimulatedEngine(socketPath, host);
      try {
        await using runbook = await partsOnly(socketPath, 1);
        const underWay = async (): Promise<Entry> =>
          eventually(async () => {
            const [record] = await readRecords(runbook.auditTarget);
            expect(record?.state).toBe('warming');
            expect(
              host.list({ deployment: runbook.auditTarget.deployment, node: 'node0' }).map(({ name }) => name),
            ).toEqual([record?.container]);
            return record as Entry;
          }, PATIENT);
        let cut: Entry;
        {
          await using first = await serve(runbook, socketPath, '1s');
          cut = await underWay();
          first.signal('SIGTERM');
          expect(await first.exitCode).toBe(0);
          expect(errorsOf(first)).toEqual([]);
          const said = new Set(
            order(
              first,
              'Queue workers: tasks are unfinished at the end of the grace; they will be delivered again',
              'Provision task failed',
              'Queue workers stopped',
              'Shut down',
            ),
          );
          expect(said.size).toBe(4);
        }
        // Nothing asks for this one any more: a worker that gets it drops it.
        await jetstream(runbook.nats).publish(
          'provisioning.provision',
          JSON.stringify({ v: 1, kind: 'provision', id: newInstanceId(), template: 'default' }),
        );
        // More where a task was queued twice: a confirmation of NATS that comes late has it queued again.
        expect((await runbook.queue.streams.info(STREAM)).state.messages).toBeGreaterThanOrEqual(2);
        await using second = await serve(runbook, socketPath, '10s');
        await runbook.settled();
        const [now, ...others] = await readRecords(runbook.auditTarget);
        expect(others).toEqual([]);
        // The same task, and so the same place in the pool, by a container of its own.
        expect(now).toMatchObject({ id: cut.id, state: 'ready' });
        expect(now?.container).not.toBe(cut.container);
        await eventually(
          () => expect(linesOf(second).filter(({ msg }) => msg === 'Instance ready')).toHaveLength(1),
          PATIENT,
        );
      } finally {
        await engine.close();
      }
    },
  );

  it('a second one ends it at once, and so does a second Ctrl-C', async () => {
    await using own = await ownFolder();
    const { folder } = own;
    const socketPath = join(folder, 'slow.sock');
    const engine = await serveSimulatedEngine(socketPath, new SimulatedHost({ startUpMs: SLOW_START_MS }));
    try {
      await using runbook = await partsOnly(socketPath, 1);
      for (const [signal, code] of [
        ['SIGTERM', 143],
        ['SIGINT', 130],
      ] as const) {
        await using program = await serve(runbook, socketPath, '10m');
        // A request that is never finished holds the first stop up for as long as the grace.
        const { socket } = await halfARequest(runbook.stack.api);
        program.signal(signal);
        await eventually(() => expect(program.output).toContain('Shutting down'), PATIENT);
        program.signal(signal);
        expect(await program.exitCode).toBe(code);
        expect(program.output).toContain('ending at once');
        socket.destroy();
      }
      await using last = await serve(runbook, socketPath, '10s');
      await runbook.settled();
      expect(await readyOf(runbook)).toBe(1);
      expect(last.output).not.toContain('Dead task');
    } finally {
      await engine.close();
    }
  });
});

/**
 * Several times the grace of 1 s with what unwinding may take (5 s), on a busy machine; a container engine's call alone
 * would be waited for a minute.
 */
const BOUND_MS = 50_000;

async function endsInTime(program: Program): Promise<void> {
  const late = new AbortController();
  const bound = sleep(BOUND_MS, late.signal).then(() => 'still running');
  expect(await Promise.race([program.exitCode, bound]), program.output).toBe(0);
  late.abort();
  expect(program.output).toContain('Shut down');
}

describe.concurrent('SIGTERM ends the program soon after the grace', () => {
  it.each(['Valkey', 'NATS', 'the engine'] as const)('while %s hangs', async (part) => {
    await using own = await ownFolder();
    const { folder } = own;
    await using engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
    await using runbook = await partsOnly(engine.socketPath);
    {
      await using program = await serve(runbook, engine.socketPath, '1s');
      await runbook.settled();
      const taken = await runbook.acquire();
      const hung: ChildServer = {
        Valkey: runbook.stack.valkey.server,
        NATS: runbook.stack.nats.server,
        'the engine': engine.server,
      }[part];
      await suspend(hung);
      try {
        // Work that needs it is under way in every worker.
        await Promise.allSettled([runbook.release(taken), runbook.acquire()]);
        program.signal('SIGTERM');
        await endsInTime(program);
      } finally {
        hung.signal('SIGCONT');
      }
    }
    await using again = await serve(runbook, engine.socketPath, '10s');
    await runbook.settled();
    expect(again.output).toContain('Try It Now started');
  });

  it('while NATS is unavailable', async () => {
    await using own = await ownFolder();
    const { folder } = own;
    await using engine = await launchSimulatedEngine({ socketPath: join(folder, 'engine.sock') });
    await using runbook = await partsOnly(engine.socketPath);
    await using program = await serve(runbook, engine.socketPath, '1s');
    await runbook.settled();
    await runbook.stack.nats.server.stop();
    const taken = await runbook.acquire();
    await runbook.release(taken);
    program.signal('SIGTERM');
    await endsInTime(program);
  });
});
