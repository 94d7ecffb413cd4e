import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DatabaseNames } from '../../src/database/names.ts';
import { newInstanceId } from '../../src/domain/ids.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { titleFor, uniqueDeployment, whyWithout, launchEngine } from '../support/container-engine.ts';
import { dumpOf } from '../support/dump.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb } from '../support/mariadb.ts';
import { Program } from '../support/program.ts';
import { RunbookDeployment, PATIENT } from '../support/runbook-deployment.ts';
import { startStack } from '../support/stack.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import { createNetworks, createRuntime } from '../../src/composition/engines.ts';
import { loadConfig } from '../../src/config/load.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { silent } from '../support/store.ts';

interface Report {
  readonly found: readonly { readonly kind: string; readonly what: string }[];
  readonly removed: number;
}

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using program = new Program(args, env);
  return { code: await program.exitCode, output: program.output };
}

it.concurrent("removes what is this deployment's and nothing else, and only while the server is stopped", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tin-clean-'));
  const host = new SimulatedHost();
  const simulatedSocket = join(folder, 'engine.sock');
  const engine = await serveSimulatedEngine(simulatedSocket, host);
  try {
    await using context = await RunbookDeployment.open({
      simulatedSocket,
      templates: [template({ pool: { target: 2, max: 5, replenishThreshold: 0 } })],
    });
    const { stack, valkey, queue } = context;
    const { deployment } = stack.config;
    const env = environmentOf(stack);
    await context.acquire();
    const stranger = { deployment: 'another', node: 'node0' };
    await host.start({
      name: 'demo-of-another',
      owner: stranger,
      instanceId: newInstanceId(),
      keepUntilMs: undefined,
      address: '127.0.0.1',
      template: 'tiny',
      hostPort: await freePort(),
    });
    await valkey.mset('sessions', 'theirs', 'ready:theirs', 'a string', 'instances_of_theirs', '1');
    await queue.streams.add({ name: 'ORDERS', subjects: ['orders.>'] });

    expect(await run(['clean-demos', '--yes'], env)).toEqual({
      code: 1,
      output: expect.stringContaining('a server answers at') as string,
    });
    expect(await run(['clean-data', '--yes'], { ...env, SERVER_PORT: String(await freePort()) })).toEqual({
      code: 1,
      output: expect.stringMatching(/the server on \S+ \(process \d+\) ran a moment ago/) as string,
    });
    await stack.restart(async () => {
      const before = await dumpOf(valkey);
      const dry = await run(['clean-demos', '--dry-run'], env);
      process.stdout.write(dry.output);
      expect([dry.code, host.list({ deployment, node: 'node0' }).length > 1]).toEqual([3, true]);
      expect((await run(['clean-data', '--dry-run'], env)).code).toBe(3);
      expect(await dumpOf(valkey)).toEqual(before);
      expect(await run(['clean-demos'], env)).toEqual({
        code: 1,
        output: expect.stringContaining('say so with --yes') as string,
      });

      expect(await run(['clean-demos', '--yes'], env)).toEqual({
        code: 0,
        output: expect.stringContaining('removed.') as string,
      });
      expect([host.list({ deployment, node: 'node0' }), host.list(stranger).length]).toEqual([[], 1]);
      expect(await run(['clean-demos', '--yes'], env)).toEqual({ code: 0, output: 'There is nothing to remove.\n' });

      const cleaned = await run(['clean-data', '--yes', '--json'], env);
      const { found, removed } = JSON.parse(cleaned.output) as Report;
      expect([cleaned.code, removed]).toEqual([0, found.length]);
      expect(found).toEqual(
        expect.arrayContaining([
          { kind: 'key', what: 'instances' },
          { kind: 'key', what: 'available_ports' },
          { kind: 'stream', what: expect.stringContaining('PROVISIONING ') as string },
        ]),
      );
      // Discovery goes on, and says so.
      expect([...(await dumpOf(valkey)).keys()]).toEqual(['instances_of_theirs', 'ready:theirs', 'sessions']);
      expect(await queue.streams.names().next()).toEqual(['ORDERS']);
    });
    await eventually(async () => expect(await context.stats()).toMatchObject({ ready: 2, assigned: 0 }), PATIENT);
  } finally {
    await engine.close();
    await rm(folder, { recursive: true });
  }
});

it.concurrent('leaves alone what a server works with that is on another host and has no engine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tin-clean-'));
  try {
    await using stack = await startStack({ env: { CONTAINER_MODE: 'none' } });
    const elsewhere = { ...environmentOf(stack), SERVER_PORT: String(await freePort()) };
    const file = join(folder, 'backup.tar.gz');
    expect((await run(['backup', file], elsewhere)).code).toBe(0);
    for (const args of [
      ['clean-data', '--yes'],
      ['restore', file, '--replace', '--yes'],
    ])
      expect(await run(args, elsewhere)).toEqual({
        code: 1,
        output: expect.stringMatching(/the server on \S+ \(process \d+\) ran a moment ago/) as string,
      });
    await stack.restart(async () => {
      expect((await run(['restore', file, '--replace', '--yes'], elsewhere)).code).toBe(0);
      expect((await run(['clean-data', '--yes'], elsewhere)).code).toBe(0);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

const mariadb = mariadbSuite('drops databases and users of this deployment alone');
it.skipIf(mariadb.skip)(mariadb.title, { concurrent: true }, async () => {
  await using server = await startMariadb();
  const root = await server.asRoot();
  try {
    const [ours, theirs] = ['ours', 'theirs'].map((deployment) =>
      new DatabaseNames('mariadb', deployment).instance(newInstanceId(), 'a'),
    );
    for (const name of [ours, theirs]) await root.query(`CREATE DATABASE ${name ?? ''}`);
    await root.query(`CREATE USER ${ours ?? ''}@localhost IDENTIFIED BY 'secret'`);
    await root.query('CREATE DATABASE customers');
    const { socketPath, user, password } = server.launched;
    const env = {
      CONTAINER_MODE: 'simulated',
      DEPLOYMENT: 'ours',
      DATABASE_SOCKET: socketPath,
      DATABASE_USER: user,
      DATABASE_PASSWORD: password,
      SERVER_PORT: String(await freePort()),
      NATS_URL: `nats://127.0.0.1:${await freePort()}`,
    };
    expect(await run(['clean-demos', '--yes'], env)).toEqual({
      code: 0,
      output: expect.stringContaining('1 of 1 removed') as string,
    });
    const left = (await root.query<{ readonly Database: string }[]>('SHOW DATABASES')).map(({ Database }) => Database);
    expect([left.includes('customers'), left.includes(theirs ?? ''), left.includes(ours ?? '')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(await root.query('SELECT User FROM mysql.global_priv WHERE User = ?', [ours])).toEqual([]);
  } finally {
    await root.end();
  }
});

it.skipIf(whyWithout('podman') !== undefined)(
  `removes containers and networks: ${titleFor('podman')}`,
  { concurrent: true },
  async () => {
    await using podman = await launchEngine('podman');
    await using image = await loadTinyImage(podman.socketPath);
    const env = {
      CONTAINER_MODE: 'podman',
      PODMAN_SOCKET: podman.socketPath,
      DEPLOYMENT: uniqueDeployment(),
      CONTAINER_IMAGE: image.name,
      SERVER_PORT: String(await freePort()),
      NATS_URL: `nats://127.0.0.1:${await freePort()}`,
    };
    const { config } = loadConfig(env);
    const others = { ...config, deployment: uniqueDeployment() };
    const tiny = template({ image: image.name, port: image.port });
    const engine = await loadEngine('podman');
    const [ours, theirs] = [createRuntime(engine, config, silent), createRuntime(engine, others, silent)];
    try {
      for (const [runtime, name] of [
        [ours, 'demo-ours-aaaa'],
        [theirs, 'demo-theirs-aaaa'],
      ] as const) {
        await runtime.prepare([tiny]);
        await runtime.start(
          { name, instanceId: newInstanceId(), template: tiny, hostPort: await freePort(), env: {} },
          AbortSignal.timeout(300_000),
        );
      }
      expect(await run(['clean-demos', '--yes'], env)).toEqual({
        code: 0,
        output: expect.stringContaining('2 of 2 removed') as string,
      });
      expect([(await ours.list()).length, (await theirs.list()).length]).toEqual([0, 1]);
      expect([
        await createNetworks(engine, config, silent)?.all(),
        (await createNetworks(engine, others, silent)?.all())?.length,
      ]).toEqual([[], 1]);
    } finally {
      for (const { name } of await theirs.list()) await theirs.remove(name);
      for (const { name } of await ours.list()) await ours.remove(name);
      await Promise.all([ours.unprepare(), theirs.unprepare()]);
    }
  },
);
