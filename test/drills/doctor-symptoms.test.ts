import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { diagnose } from '../../src/cli/doctor/command.ts';
import type { Diagnosis } from '../../src/doctor/check.ts';
import { newInstanceId } from '../../src/domain/ids.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { about, containing, matching } from '../support/diagnoses.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb } from '../support/mariadb.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { loseConsumer } from '../support/queue.ts';
import { Program } from '../support/program.ts';
import { RunbookDeployment, PATIENT } from '../support/runbook-deployment.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { suspend } from '../support/suspend.ts';
import { template } from '../support/templates.ts';
import { whileBroken } from '../support/while-broken.ts';

const OPERATOR_KEY = 'an-operator-key-for-a-drill';

let folder: string;
let host: SimulatedHost;
let engine: Awaited<ReturnType<typeof serveSimulatedEngine>>;
let simulatedSocket: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-doctor-'));
  simulatedSocket = join(folder, 'engine.sock');
  host = new SimulatedHost();
  engine = await serveSimulatedEngine(simulatedSocket, host);
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

/** A deployment whose one template is the one the doctor's environment describes. */
function open(
  pool: { readonly target: number; readonly max: number },
  env: Readonly<Record<string, string>> = {},
  full = true,
): Promise<RunbookDeployment> {
  return RunbookDeployment.open(
    {
      simulatedSocket,
      templates: [template({ name: 'default', pool: { ...pool, replenishThreshold: 0 } })],
      // Nothing is repaired behind the doctor's back.
      reconcileIntervalMs: 600_000,
      env: {
        POOL_TARGET_SIZE: String(pool.target),
        POOL_MAX_SIZE: String(pool.max),
        CHECKPOINT_DIR: join(folder, 'checkpoints'),
        DISCOVERY_METRICS_ADDR: '127.0.0.1:7',
        OPERATOR_KEYS: OPERATOR_KEY,
        ...env,
      },
    },
    { full },
  );
}

/** All but that Valkey answers slowly, which it does on a busy machine. */
async function troubles(env: Readonly<Record<string, string>>): Promise<readonly Diagnosis[]> {
  return troublesAmong(await diagnose(env));
}

function troublesAmong(found: readonly Diagnosis[]): readonly Diagnosis[] {
  return found.filter(
    ({ part, what, verdict, seen }) =>
      (verdict === 'failure' || verdict === 'warning') &&
      !(part === 'Valkey' && what === 'reachable' && verdict === 'warning' && SLOW_ANSWER.test(seen)),
  );
}

const SLOW_ANSWER = /^answers at \S+ in [\d.]+ ms/;

/** Under it nothing else is told than what a bare test server lacks, and what the programs of this machine do. */
const ALWAYS = ['persistence', 'admin access', 'known holes'];

describe('on a running deployment', () => {
  let runbook: RunbookDeployment;
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    runbook = await open({ target: 2, max: 4 });
    env = environmentOf(runbook.stack);
  });
  afterAll(() => runbook[Symbol.asyncDispose]());
  afterEach(() => runbook.settled());

  it('is content with one that is well', async () => {
    // A worker on a busy machine is now and then about to ask for tasks again.
    const found = await eventually(async () => {
      const looked = await diagnose(env);
      expect(troublesAmong(looked).filter(({ what }) => !ALWAYS.includes(what))).toEqual([]);
      return looked;
    });
    expect(new Set(found.map(({ part }) => part))).toEqual(
      new Set([
        'Config',
        'Valkey',
        'Clock',
        'NATS',
        'Nodes',
        'Caddy',
        'Discovery',
        'Engine',
        'CRIU',
        'Ports',
        'Disk',
        'Host',
        'Server',
        'Pools',
        'Recorded state',
      ]),
    );
  });

  it('pool not replenishing, since its checkpoint is not found', async () => {
    const found = await whileBroken(
      () => runbook.valkey.lpush('checkpoints:default', 'abcdef0123456789'),
      async () => about(await troubles(env), 'CRIU', 'checkpoint of default'),
      () => runbook.valkey.del('checkpoints:default'),
    );
    expect(found).toMatchObject({
      verdict: 'failure',
      seen: containing('abcdef0123456789 is promoted, but cannot be used'),
      remedy: containing('try-it-now checkpoint create default --promote'),
    });
    const named = await diagnose({ ...env, CHECKPOINT_PATH: join(folder, 'gone.tar') });
    expect(named[0]).toMatchObject({ part: 'Config', verdict: 'failure', seen: containing('CHECKPOINT_PATH') });
  });

  it('high acquire latency, since the pool is paused', async () => {
    const found = await whileBroken(
      () => runbook.valkey.hset('pool_control:default', { mode: 'paused', since_ms: Date.now(), reason: 'new image' }),
      async () => about(await troubles(env), 'Pools', 'default'),
      () => runbook.valkey.del('pool_control:default'),
    );
    expect(found).toMatchObject({
      verdict: 'warning',
      seen: containing('paused (new image)'),
      remedy: containing('try-it-now pool resume default'),
    });
  });

  it('high acquire latency, since the pool is too small', async () => {
    const taken: Awaited<ReturnType<typeof runbook.acquire>>[] = [];
    const found = await whileBroken(
      async () => {
        for (let pair = 1; pair <= 2; pair += 1) {
          await eventually(async () => expect(await runbook.stats()).toMatchObject({ ready: 2 }), PATIENT);
          for (let one = 1; one <= 2; one += 1) taken.push(await runbook.acquire());
        }
      },
      async () => about(await troubles(env), 'Pools', 'default'),
      async () => {
        for (const visitor of taken) await runbook.release(visitor);
      },
    );
    expect(found).toMatchObject({
      verdict: 'failure',
      seen: containing('too small'),
      remedy: containing('POOL_MAX_SIZE'),
    });
  });

  it('memory growing, since containers have no record', async () => {
    const { deployment } = runbook.stack.config;
    // The port of a container that was removed a moment ago rests, and whoever listens there may still be that one.
    const hostPort = Math.max(...(await runbook.valkey.smembers('available_ports')).map(Number));
    const stray = {
      name: 'demo-stray',
      owner: { deployment, node: 'node0' },
      instanceId: newInstanceId(),
      keepUntilMs: undefined,
      address: '127.0.0.1',
      template: 'default',
      hostPort,
    };
    const found = await whileBroken(
      () => host.start(stray),
      () => troubles(env),
      () => host.remove(stray.name),
    );
    expect(about(found, 'Recorded state', 'stray containers')).toMatchObject({
      verdict: 'failure',
      seen: containing('demo-stray'),
      remedy: containing('try-it-now reconcile'),
    });
    expect(about(found, 'Ports', 'other listeners')).toMatchObject({
      seen: containing(String(hostPort)),
    });
  });

  it(
    'memory growing, since what cannot be removed is quarantined; the list has the ' +
      'reason, and it goes when it can',
    async () => {
      const visitor = await runbook.acquire();
      await engine.close();
      let found: readonly Diagnosis[];
      try {
        await runbook.release(visitor);
        found = await eventually(async () => {
          const seen = await troubles(env);
          expect(about(seen, 'Pools', 'quarantine')).toBeDefined();
          return seen;
        }, PATIENT);
        // Now and then it is tried again, and is no longer quarantined meanwhile.
        await eventually(async () => {
          await using listed = new Program(['instances', 'list', '--state', 'quarantined'], env);
          expect([await listed.exitCode, listed.output]).toEqual([
            0,
            matching(new RegExp(`${visitor.id}.*quarantined.*\\n${visitor.id}: .*does not answer`, 's')),
          ]);
        }, PATIENT);
      } finally {
        engine = await serveSimulatedEngine(simulatedSocket, host);
      }
      expect(about(found, 'Pools', 'quarantine')).toMatchObject({
        verdict: 'warning',
        seen: matching(/^1 cannot be cleaned up .*does not answer/),
        remedy: containing('try-it-now instances list --state quarantined'),
      });
      expect(about(found, 'Engine', 'answers')).toMatchObject({
        verdict: 'failure',
        remedy: containing('SIMULATED_SOCKET'),
      });
    },
  );

  it('restores slow, since the checkpoint was taken out', async () => {
    const found = await whileBroken(
      () => runbook.valkey.hset('restores:default', 'withdrawn', 'abcdef0123456789'),
      async () => about(await troubles(env), 'CRIU', 'checkpoint of default'),
      () => runbook.valkey.del('restores:default'),
    );
    expect(found).toMatchObject({
      verdict: 'warning',
      seen: containing('did not restore; instances start cold'),
      remedy: containing('try-it-now checkpoint create default --promote'),
    });
  });

  it('part unavailable: discovery', async () => {
    const found = about(
      await troubles({ ...env, DISCOVERY_ADDR: `127.0.0.1:${await freePort()}` }),
      'Discovery',
      'answers',
    );
    expect(found).toMatchObject({ verdict: 'failure', remedy: containing('systemctl start try-it-now-discovery') });
  });

  const mariadb = mariadbSuite('pool not replenishing, since the database is unavailable');
  it.skipIf(mariadb.skip)(mariadb.title, async () => {
    await using server = await startMariadb();
    const { socketPath, user, password } = server.launched;
    const with_ = { ...env, DATABASE_SOCKET: socketPath, DATABASE_USER: user, DATABASE_PASSWORD: password };
    expect((await diagnose(with_)).find(({ part }) => part === 'MariaDB')).toMatchObject({ verdict: 'ok' });
    await server.launched.server.stop();
    expect(about(await troubles(with_), 'MariaDB', 'usable')).toMatchObject({
      verdict: 'failure',
      seen: containing(`does not answer at ${socketPath}`),
      remedy: containing('systemctl enable --now mariadb'),
    });
  });

  it('pool not replenishing, since NATS hangs; nothing else waits for it', async () => {
    const { server } = runbook.stack.nats;
    const found = await whileBroken(
      () => suspend(server),
      () => troubles(env),
      () => server.signal('SIGCONT'),
    );
    expect(about(found, 'NATS', 'reachable')).toMatchObject({
      verdict: 'failure',
      remedy: containing('where it runs restart it (`systemctl restart try-it-now-nats`)'),
    });
    expect(found.filter(({ part }) => part === 'Valkey' || part === 'Caddy').map(({ what }) => what)).toEqual(ALWAYS);
  });
});

describe('where parts end one after another', () => {
  it('consumer not processing: no worker, then no consumer, then no NATS; then nothing at all answers', async () => {
    await using runbook = await open({ target: 2, max: 4 });
    const { stack } = runbook;
    const env = environmentOf(stack);
    await stack.app.stop();
    let found = await eventually(async () => {
      const seen = await troubles(env);
      expect(about(seen, 'NATS', 'consumer provision-workers')).toMatchObject({ seen: containing('no worker asks') });
      return seen;
    }, PATIENT);
    expect(about(found, 'NATS', 'consumer provision-workers')).toMatchObject({
      verdict: 'failure',
      seen: containing('no worker asks'),
      remedy: containing('systemctl start try-it-now'),
    });
    expect(about(found, 'Server', 'API')).toMatchObject({
      verdict: 'failure',
      remedy: containing('journalctl -u try-it-now'),
    });

    await loseConsumer(runbook.queue, 'provision-workers');
    found = await troubles(env);
    expect(about(found, 'NATS', 'consumer provision-workers')).toMatchObject({
      verdict: 'failure',
      seen: containing('is not there'),
      remedy: containing('systemctl start try-it-now'),
    });

    await runbook.queue.streams.delete('PROVISIONING');
    await fetch(`${stack.caddy.adminUrl}/config/apps/http/servers/demo`, { method: 'DELETE' });
    found = await troubles(env);
    expect(about(found, 'NATS', 'stream PROVISIONING')).toMatchObject({
      verdict: 'failure',
      seen: containing('is not there'),
      remedy: containing('systemctl start try-it-now'),
    });
    expect(about(found, 'Caddy', 'demo server')).toMatchObject({
      verdict: 'failure',
      seen: containing("is not in Caddy's configuration"),
      remedy: containing('systemctl start try-it-now'),
    });

    await stack.nats.server.stop();
    found = await troubles(env);
    expect(about(found, 'NATS', 'reachable')).toMatchObject({
      verdict: 'failure',
      seen: containing('does not answer'),
      remedy: containing('systemctl start try-it-now-nats'),
    });

    await stack.caddy.server.stop();
    await stack.valkey.server.stop();
    found = await troubles(env);
    expect(about(found, 'Caddy', 'admin API')).toMatchObject({
      verdict: 'failure',
      remedy: containing('systemctl enable --now caddy'),
    });
    expect(about(found, 'Valkey', 'reachable')).toMatchObject({
      verdict: 'failure',
      remedy: containing('systemctl start try-it-now-valkey'),
    });
    for (const { remedy } of found) expect(remedy).toBeDefined();
    await stack.valkey.server[Symbol.asyncDispose]();
  });
});

describe('with few ports', () => {
  it('pool not replenishing, since no port is free', async () => {
    await using ports = await claimPorts(2);
    await using runbook = await open(
      { target: 2, max: 2 },
      {
        CONTAINER_PORT_RANGE_START: String(ports.start),
        CONTAINER_PORT_RANGE_END: String(ports.end),
        CONTAINER_PORT_COOLDOWN: '1h',
      },
    );
    for (const visitor of [await runbook.acquire(), await runbook.acquire()]) await runbook.release(visitor);
    const found = await eventually(async () => {
      const seen = await troubles(environmentOf(runbook.stack));
      expect(about(seen, 'Ports', 'free')).toBeDefined();
      return seen;
    }, PATIENT);
    expect(about(found, 'Ports', 'free')).toMatchObject({
      verdict: 'failure',
      seen: matching(/^0 free, .* no port is free/),
      remedy: containing('CONTAINER_PORT_RANGE_START'),
    });
  });

  it('pool not replenishing, since the template fails: the reason is told', async () => {
    // More than attempts that fail before refills pause: a failed one has its port rest.
    await using claimed = await claimPorts(16);
    const { start: first, end: last } = claimed;
    const ports = Array.from({ length: last - first + 1 }, (_, at) => first + at);
    const strangers = await Promise.all(
      ports.map(
        (port) =>
          new Promise<Server>((resolve, reject) => {
            const server = createServer();
            server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
          }),
      ),
    );
    try {
      await using runbook = await open(
        { target: 2, max: 2 },
        {
          CONTAINER_PORT_RANGE_START: String(first),
          CONTAINER_PORT_RANGE_END: String(last),
          CONTAINER_PORT_COOLDOWN: '10s',
        },
        false,
      );
      const found = await eventually(async () => {
        const seen = await troubles(environmentOf(runbook.stack));
        expect(about(seen, 'Pools', 'refills of default')?.seen).toMatch(/^paused after .*the last failed: /s);
        expect(about(seen, 'NATS', 'dead tasks')).toBeDefined();
        return seen;
      }, PATIENT);
      expect(about(found, 'Pools', 'refills of default')).toMatchObject({
        verdict: 'failure',
        seen: matching(/paused after \d failures in a row.*EADDRINUSE/s),
        remedy: containing('the next try comes by itself'),
      });
      // Attempts draw their ports at random, and theirs cool down: which of the others is the lowest differs.
      const listeners = about(found, 'Ports', 'other listeners');
      const named = (/listens on ([\d, ]+)/.exec(listeners?.seen ?? '')?.[1] ?? '').match(/\d+/g)?.map(Number) ?? [];
      expect(named).not.toEqual([]);
      expect(ports).toEqual(expect.arrayContaining(named));
      expect(named).toEqual([...named].sort((a, b) => a - b));
      expect(listeners).toMatchObject({ verdict: 'warning', remedy: containing(`ss -ltnp 'sport = :${named[0]}'`) });
      expect(about(found, 'NATS', 'dead tasks')).toMatchObject({
        verdict: 'warning',
        remedy: containing('try-it-now queue'),
      });
    } finally {
      for (const server of strangers) server.close();
    }
  });
});
