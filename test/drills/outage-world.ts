import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchMariadb, type LaunchedMariadb } from '../../src/launcher/mariadb.ts';
import { launchNats } from '../../src/launcher/nats.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import type { Releasers } from '../../src/lifecycle/releasers.ts';
import type { AuditTarget } from '../support/state-audit.ts';
import { engineCalled } from '../../src/runtime/engines.ts';
import { drawPorts, ownSettings, removeContainers } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { activate } from '../support/socket-activation.ts';
import { suspend } from '../support/suspend.ts';

export const PARTS = ['nats', 'valkey', 'caddy', 'podman', 'mariadb', 'api', 'discovery'] as const;
export type PartName = (typeof PARTS)[number];

interface PartParts {
  readonly server: ChildServer;
  readonly launch: () => Promise<ChildServer>;
  readonly wipe: () => Promise<unknown>;
  readonly pid: (server: ChildServer) => number | undefined;
}

/** A server that an outage is about. */
class Part {
  readonly #parts: PartParts;
  #server: ChildServer;

  private constructor(parts: PartParts) {
    this.#parts = parts;
    this.#server = parts.server;
  }

  static async start(
    launch: () => Promise<ChildServer>,
    wipe: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<Part> {
    return new Part({ server: await launch(), launch, wipe, pid: ({ pid }) => pid });
  }

  /** One that somebody else starts again; `pid` is the current one's. */
  static restartedByItself(server: ChildServer, pid: () => number): Part {
    return new Part({ server, launch: () => Promise.resolve(server), wipe: () => Promise.resolve(), pid });
  }

  get pid(): number {
    const pid = this.#parts.pid(this.#server);
    if (pid === undefined) throw new Error(`${this.#server.name} does not run`);
    return pid;
  }

  get alive(): boolean {
    return this.#server.alive;
  }

  tail(lines: number): string {
    return this.#server.tail(lines);
  }

  /** Without a chance to say goodbye. */
  async kill(): Promise<void> {
    const { pid } = this;
    process.kill(pid, 'SIGKILL');
    await eventually(() => {
      if (existsSync(`/proc/${pid}`)) throw new Error(`${this.#server.name} is still there`);
    });
  }

  async stop(): Promise<void> {
    if (this.#server.alive) this.goOn();
    await this.#server.stop();
  }

  async start(): Promise<void> {
    this.#server = await this.#parts.launch();
  }

  /** What it keeps on disk is deleted; only while it is stopped. */
  async wipe(): Promise<void> {
    await this.#parts.wipe();
  }

  async hang(): Promise<void> {
    await suspend(this);
  }

  goOn(): void {
    process.kill(this.pid, 'SIGCONT');
  }
}

export interface WorldOptions {
  readonly engine: 'simulated' | 'podman';
  /** Of the default template, in the shape of a templates file. */
  readonly app: Readonly<Record<string, unknown>>;
  readonly target: number;
  readonly max: number;
  readonly workers: number;
  /** A second template whose instances have a database each. */
  readonly databases: boolean;
  /** Of that second template alone. */
  readonly shop?: Readonly<Record<string, unknown>>;
  /** How many ports its instances share. */
  readonly ports: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface World {
  readonly config: Config;
  readonly api: string;
  readonly proxyPort: number;
  readonly auditTarget: AuditTarget;
  part(name: PartName): Part;
  /** The simulated engine's process, which no outage is about. */
  readonly simulatedEngine: ChildServer | undefined;
  /** What the server wrote, for the message of a failure. */
  serverLog(): string;
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const WITH_DATABASE = 'shop';

/**
 * Every part for real, the server and discovery as the processes that people run, all of it gone with the releasers.
 */
export async function startWorld(options: WorldOptions, releasers: Releasers): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-outage-'));
  releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
  // MariaDB runs under an account of its own, which has to pass through.
  await chmod(dir, 0o711);
  const instances = await claimPorts(options.ports);
  releasers.push('ports', () => instances[Symbol.asyncDispose]());
  const parts = new Parts(dir, releasers);
  const backing = await startBacking(parts);
  const engine = await startEngine(parts, options.engine, releasers);
  const database = options.databases ? await startMariadb(parts) : undefined;
  const ports = await drawPorts();
  const env = {
    ...engine.env,
    ...database?.env,
    ...(await templatesFile(dir, options)),
    CONTAINER_MODE: options.engine,
    ...backing,
    ...ownSettings(ports, instances),
    DISCOVERY_SNAPSHOT_FILE: join(dir, 'hostnames.json'),
    CONTAINER_PORT_COOLDOWN: '10s',
    QUEUE_WORKER_COUNT: String(options.workers),
    CRIU_ENABLED: 'false',
    ...options.env,
  };
  const { config } = loadConfig(env);
  releasers.push('containers', () => removeContainers(options.engine, config));
  parts.add('discovery', await startDiscovery(config.proxy, env, releasers));
  const api = `http://127.0.0.1:${ports.server}`;
  const server = await startServer(api, env);
  releasers.push('server', () => server.stop());
  parts.add('api', server);
  return {
    config,
    api,
    proxyPort: ports.proxy,
    simulatedEngine: engine.simulated,
    auditTarget: {
      valkeyPort: config.valkey.port,
      natsUrl: env.NATS_URL,
      caddyAdminUrl: env.CADDY_ADMIN_URL,
      proxyPort: ports.proxy,
      deployment: env.DEPLOYMENT,
      portRange: [instances.start, instances.end],
      engine: { kind: options.engine, socketPath: engine.socketPath },
      targets: Object.fromEntries(config.templates.map(({ name, pool }) => [name, pool.target])),
      ...(database === undefined ? {} : { mariadb: database.login }),
    },
    part: (name) => parts.get(name),
    serverLog: () => server.tail(60),
  };
}

/** Those that an outage may be about, each with a folder for its data. */
class Parts {
  readonly dir: string;
  readonly #releasers: Releasers;
  readonly #parts = new Map<PartName, Part>();

  constructor(dir: string, releasers: Releasers) {
    this.dir = dir;
    this.#releasers = releasers;
  }

  get(name: PartName): Part {
    const part = this.#parts.get(name);
    if (part === undefined) throw new Error(`this world has no ${name}`);
    return part;
  }

  add(name: PartName, part: Part): void {
    this.#parts.set(name, part);
  }

  async start(name: PartName, launch: (folder: string) => Promise<{ readonly server: ChildServer }>): Promise<void> {
    const folder = join(this.dir, name);
    await mkdir(folder, { recursive: true });
    const wipe = async (): Promise<void> => {
      await rm(folder, { recursive: true });
      await mkdir(folder);
    };
    const part = await Part.start(async () => (await launch(folder)).server, wipe);
    this.#releasers.push(name, () => part.stop());
    this.add(name, part);
  }
}

/** Each on a port that it has again after a restart. */
async function startBacking(parts: Parts) {
  const [valkey, nats, natsMonitor, caddyAdmin] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  await Promise.all([
    parts.start('valkey', (dir) => launchValkey({ dir, port: valkey, persistent: true })),
    parts.start('nats', (dir) => launchNats({ dir, port: nats, monitorPort: natsMonitor })),
    parts.start('caddy', (dir) => launchCaddy({ dir, adminPort: caddyAdmin })),
  ]);
  return {
    VALKEY_ADDR: `127.0.0.1:${valkey}`,
    NATS_URL: `nats://127.0.0.1:${nats}`,
    CADDY_ADMIN_URL: `http://127.0.0.1:${caddyAdmin}`,
  };
}

interface StartedEngine {
  readonly socketPath: string;
  readonly env: Readonly<Record<string, string>>;
  readonly simulated: ChildServer | undefined;
}

async function startEngine(parts: Parts, name: WorldOptions['engine'], releasers: Releasers): Promise<StartedEngine> {
  const { variable } = engineCalled(name).socket;
  if (name === 'podman') {
    const socketPath = join(parts.dir, 'podman/engine.sock');
    await parts.start('podman', () => launchPodman({ socketPath }));
    return { socketPath, env: { [variable]: socketPath }, simulated: undefined };
  }
  const socketPath = join(parts.dir, 'engine.sock');
  const { server } = await launchSimulatedEngine({ socketPath });
  releasers.push('the simulated engine', () => server.stop());
  return { socketPath, env: { [variable]: socketPath }, simulated: server };
}

async function startMariadb(parts: Parts) {
  const launches: LaunchedMariadb[] = [];
  await parts.start('mariadb', async (dir) => {
    const launched = await launchMariadb({ dir });
    launches.push(launched);
    return launched;
  });
  const [first] = launches;
  if (first === undefined) throw new Error('MariaDB was not launched');
  const { socketPath, user, password, passwordFile } = first;
  return {
    login: { socketPath, user, password },
    env: { DATABASE_SOCKET: socketPath, DATABASE_USER: user, DATABASE_PASSWORD_FILE: passwordFile },
  };
}

async function startServer(api: string, env: Readonly<Record<string, string>>): Promise<Part> {
  return Part.start(() =>
    ChildServer.start({
      name: 'server',
      command: process.execPath,
      args: [MAIN, 'serve'],
      env,
      isUp: async () => (await fetch(`${api}/health`)).ok,
    }),
  );
}

async function templatesFile(
  dir: string,
  { app, shop: shopApp, target, max, databases }: WorldOptions,
): Promise<{ readonly TEMPLATES_FILE: string }> {
  const plain = {
    name: 'tiny',
    title: 'Tiny',
    image: 'localhost/unused',
    port: 80,
    ...app,
    pool: { target, max, replenish_threshold: 0 },
  };
  await writeFile(
    join(dir, 'seed.sql'),
    "CREATE TABLE notes (id INT PRIMARY KEY, text VARCHAR(80)); INSERT INTO notes VALUES (1, 'first');\n",
  );
  const shop = {
    ...plain,
    name: WITH_DATABASE,
    title: 'With a database',
    database: { seed: 'seed.sql' },
    activation: { exec: ['/bin/true'] },
    pool: { target: 3, max: 40, replenish_threshold: 0 },
    ...shopApp,
  };
  const file = join(dir, 'templates.yaml');
  await writeFile(file, stringify({ templates: databases ? [plain, shop] : [plain] }));
  return { TEMPLATES_FILE: file };
}

/** As its systemd units run it: the socket outlives the process, which is started again whenever it ends. */
async function startDiscovery(
  { discovery: { host, port } }: Config['proxy'],
  env: Readonly<Record<string, string>>,
  releasers: Releasers,
): Promise<Part> {
  const activated = await activate({
    name: 'discovery',
    listen: { host, port },
    command: [process.execPath, MAIN, 'discovery'],
    env: { ...env, LOG_LEVEL: 'info' },
    saysUp: 'Discovery answers',
  });
  releasers.push('discovery', () => activated.server.stop());
  return Part.restartedByItself(activated.server, () => activated.pid());
}
