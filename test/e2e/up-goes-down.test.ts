import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { TakeDown } from '../../src/cli/up/take-down.ts';
import type { Handling } from '../../src/composition/app.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost, type SimulatedSpec } from '../../src/runtime/simulated/simulated-host.ts';
import { writeSeed } from '../support/databases.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb } from '../support/mariadb.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { startStack } from '../support/stack.ts';
import { silent } from '../support/store.ts';

const DEPLOYMENT = 'test-goes-down';
const OWNER = { deployment: DEPLOYMENT, node: 'node0' };

async function startUp(
  cleanups: Cleanups,
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly program: Program; readonly log: string; readonly api: string }> {
  const ports = await claimPorts(100);
  cleanups.push(() => ports[Symbol.asyncDispose]());
  const port = String(await freePort());
  const program = new Program(['up'], {
    CONTAINER_MODE: 'simulated',
    SERVER_PORT: port,
    PROXY_LISTEN: `:${await freePort()}`,
    DEPLOYMENT,
    CONTAINER_PORT_RANGE_START: String(ports.start),
    CONTAINER_PORT_RANGE_END: String(ports.end),
    POOL_TARGET_SIZE: '1',
    NODE_ENV: 'production',
    ...settings,
  });
  cleanups.push(() => program[Symbol.asyncDispose]());
  await eventually(() => expect(program.output).toContain('Click here:'));
  const log = /log: (\S+\.log)/.exec(program.output)?.[1] ?? '';
  cleanups.push(() => rm(dirname(log), { recursive: true, force: true }));
  return { program, log, api: `http://localhost:${port}/api/v1/demo/acquire` };
}

/** At a start it may stand still, as an engine on a host that is overloaded. */
class SlowHost extends SimulatedHost {
  #letGo: () => void = () => undefined;
  #gate: Promise<void> | undefined;
  waiting = 0;

  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#letGo = resolve;
    });
  }

  letGo(): void {
    this.#letGo();
  }

  override async start(spec: SimulatedSpec): Promise<void> {
    this.waiting += 1;
    await this.#gate;
    await super.start(spec);
  }
}

async function serve(
  cleanups: Cleanups,
  host: SimulatedHost,
): Promise<{ SIMULATED_SOCKET: string; close: () => Promise<void> }> {
  const socket = join(await ownFolder(cleanups, 'tin-goes-down-'), 'engine.sock');
  const engine = await serveSimulatedEngine(socket, host);
  cleanups.push(() => engine.close());
  return { SIMULATED_SOCKET: socket, close: () => engine.close() };
}

it('says what is still there where the engine does not answer any more, and keeps the log', async () => {
  await using cleanups = new Cleanups('an engine that is gone');
  const { close, ...settings } = await serve(cleanups, new SimulatedHost());
  const { program, log } = await startUp(cleanups, settings);
  await close();
  program.signal('SIGINT');
  expect(await program.exitCode).toBe(1);
  expect(program.output).not.toContain('nothing was left behind');
  expect(program.output).toContain(
    `Not everything is down. Start it again with the same settings and DEPLOYMENT=${DEPLOYMENT}`,
  );
  expect(program.output).toMatch(/ {2}containers: .*engine\.sock/);
  expect(program.output.slice(program.output.indexOf('Not everything'))).toContain(log);
  expect(existsSync(log)).toBe(true);
});

it('waits for what the engine was about to start when it was told to stop, and removes it', async () => {
  await using cleanups = new Cleanups('an engine that is slow');
  const host = new SlowHost();
  cleanups.push(() => host.letGo());
  const { SIMULATED_SOCKET } = await serve(cleanups, host);
  const { program, api } = await startUp(cleanups, { SIMULATED_SOCKET, SHUTDOWN_GRACE: '0s' });
  host.hold();
  const before = host.waiting;
  expect((await fetch(api, { method: 'POST' })).status).toBe(201);
  await eventually(() => expect(host.waiting).toBeGreaterThan(before));
  program.signal('SIGINT');
  await eventually(() => expect(program.output).toMatch(/the engine is still at a start|nothing was left behind/));
  // Its parts, which may be the engine, stay until then.
  expect(program.output).not.toContain('nothing was left behind');
  host.letGo();
  expect(await program.exitCode).toBe(0);
  expect(program.output).toContain('nothing was left behind.');
  expect(host.list(OWNER)).toEqual([]);
});

it('waits for the engine just so where the server did not come up', async () => {
  await using cleanups = new Cleanups('a start that fails');
  const host = new SlowHost();
  const { SIMULATED_SOCKET } = await serve(cleanups, host);
  host.hold();
  const tasks: Handling[] = [];
  await using stack = await startStack({
    socketPath: SIMULATED_SOCKET,
    env: { SHUTDOWN_GRACE: '0s' },
    onHandling: (handling) => tasks.push(handling),
  });
  cleanups.push(() => host.letGo());
  const { app, config } = stack;
  const owner = { deployment: config.deployment, node: config.node.name };
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const screen = { start: say, progress: say, tell: say, succeed: say, info: say, warn: say, fail: say };
  const { deployment } = owner;
  const takeDown = new TakeDown({ deployment, explicit: new Set(), logFile: '', screen, log: silent });
  const starting = takeDown.start(
    { engine: await loadEngine('simulated'), config, launched: [] },
    async (onHandling) => {
      for (const each of tasks) onHandling(each);
      await eventually(() => expect(host.waiting).toBeGreaterThan(0));
      // As for a port that somebody has taken meanwhile: what runs by then is stopped again.
      await app.stop();
      throw new Error('the port is taken');
    },
  );
  await expect(starting).rejects.toThrow('the port is taken');
  const gone = takeDown.run();
  await eventually(() => expect(said).toContainEqual(expect.stringContaining('still at a start')));
  host.letGo();
  expect(await gone).toBe(true);
  expect(host.list(owner)).toEqual([]);
});

it('says when it is ended at once that things may still be there', async () => {
  await using cleanups = new Cleanups('an impatient user');
  const host = new SlowHost();
  cleanups.push(() => host.letGo());
  const { SIMULATED_SOCKET } = await serve(cleanups, host);
  const { program, log, api } = await startUp(cleanups, { SIMULATED_SOCKET });
  host.hold();
  const before = host.waiting;
  expect((await fetch(api, { method: 'POST' })).status).toBe(201);
  await eventually(() => expect(host.waiting).toBeGreaterThan(before));
  program.signal('SIGINT');
  await eventually(() => expect(program.output).toContain('Taking everything down'));
  program.signal('SIGINT');
  expect(await program.exitCode).toBe(130);
  expect(program.output).toContain(`Ended at once. Start it again with the same settings and DEPLOYMENT=${DEPLOYMENT}`);
  expect(existsSync(log)).toBe(true);
});

const mariadb = mariadbSuite('leaves no database in a server that was there before');
it.skipIf(mariadb.skip)(mariadb.title, async () => {
  await using cleanups = new Cleanups('a database server of the operator');
  await using server = await startMariadb();
  const seed = await writeSeed(server.dir, 'mariadb', 'CREATE TABLE notes (text VARCHAR(100) NOT NULL);\n');
  const file = join(await ownFolder(cleanups, 'tin-goes-down-'), 'templates.yaml');
  const shop = { name: 'shop', image: 'localhost/unused', port: 80 };
  const database = { engine: 'mariadb', seed: seed.seedFile };
  await writeFile(file, JSON.stringify({ templates: [{ ...shop, database }] }));
  const { socketPath, user, passwordFile } = server.launched;
  const root = await server.asRoot();
  cleanups.push(() => root.end());
  const found = async (): Promise<readonly string[]> => [
    ...(await root.query<{ readonly Database: string }[]>('SHOW DATABASES')).map(({ Database }) => Database),
    ...(await root.query<{ readonly User: string }[]>('SELECT User FROM mysql.global_priv')).map(({ User }) => User),
  ];
  await root.query('CREATE DATABASE customers');
  const before = await found();

  const { program } = await startUp(cleanups, {
    TEMPLATES_FILE: file,
    DATABASE_SOCKET: socketPath,
    DATABASE_USER: user,
    DATABASE_PASSWORD_FILE: passwordFile,
  });
  expect((await found()).length).toBeGreaterThan(before.length + 2);
  program.signal('SIGINT');
  expect(await program.exitCode).toBe(0);
  expect(program.output).toContain('nothing was left behind.');
  expect(await found()).toEqual(before);
});
