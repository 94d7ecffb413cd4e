import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { createRuntime } from '../../src/composition/engines.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import { newHostLabel } from '../../src/domain/ids.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchMariadb } from '../../src/launcher/mariadb.ts';
import { launchNats } from '../../src/launcher/nats.ts';
import { launchPodman } from '../../src/launcher/podman.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine } from '../../src/launcher/simulated-engine.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import type { Releasers } from '../../src/lifecycle/releasers.ts';
import type { AuditTarget } from '../support/state-audit.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { activate } from '../support/socket-activation.ts';
import { silent } from '../support/store.ts';

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

  hang(): void {
    process.kill(this.pid, 'SIGSTOP');
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

/** Every part for real, the server and discovery as the processes that people run, all of it gone with the releasers. */
export async function startWorld(options: WorldOptions, releasers: Releasers): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-outage-'));
  releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
  // MariaDB runs under an account of its own, which has to pass through.
  await chmod(dir, 0o711);
  const parts = new Map<PartName, Part>();
  const keep = async (
    name: PartName,
    launch: () => Promise<{ readonly server: ChildServer }>,
    folder: string,
  ): Promise<void> => {
    await mkdir(folder, { recursive: true });
    const wipe = async (): Promise<void> => {
      await rm(folder, { recursive: true });
      await mkdir(folder);
    };
    const part = await Part.start(async () => (await launch()).server, wipe);
    releasers.push(name, () => part.stop());
    parts.set(name, part);
  };
  const instances = await claimPorts(options.ports);
  releasers.push('ports', () => instances[Symbol.asyncDispose]());
  const ports = {
    valkey: await freePort(),
    nats: await freePort(),
    natsMonitor: await freePort(),
    caddyAdmin: await freePort(),
    proxy: await freePort(),
    server: await freePort(),
    discovery: await freePort(),
    discoveryMetrics: await freePort(),
  };
  const folders = {
    valkey: join(dir, 'valkey'),
    nats: join(dir, 'nats'),
    caddy: join(dir, 'caddy'),
    podman: join(dir, 'podman'),
    mariadb: join(dir, 'mariadb'),
  };
  await Promise.all([
    keep('valkey', () => launchValkey({ dir: folders.valkey, port: ports.valkey, persistent: true }), folders.valkey),
    keep(
      'nats',
      () => launchNats({ dir: folders.nats, port: ports.nats, monitorPort: ports.natsMonitor }),
      folders.nats,
    ),
    keep('caddy', () => launchCaddy({ dir: folders.caddy, adminPort: ports.caddyAdmin }), folders.caddy),
  ]);
  const engineSocket = join(options.engine === 'podman' ? folders.podman : dir, 'engine.sock');
  const engineEnv: Record<string, string> = {};
  let simulatedEngine: ChildServer | undefined;
  if (options.engine === 'podman') {
    await keep('podman', () => launchPodman({ socketPath: engineSocket }), folders.podman);
    engineEnv['PODMAN_SOCKET'] = engineSocket;
  } else {
    const engine = await launchSimulatedEngine({ socketPath: engineSocket });
    releasers.push('the simulated engine', () => engine.server.stop());
    simulatedEngine = engine.server;
    engineEnv['SIMULATED_SOCKET'] = engineSocket;
  }
  let login = { socketPath: '', user: '', password: '', passwordFile: '' };
  if (options.databases) {
    await keep(
      'mariadb',
      async () => {
        const launched = await launchMariadb({ dir: folders.mariadb });
        login = launched;
        return launched;
      },
      folders.mariadb,
    );
    Object.assign(engineEnv, {
      DATABASE_SOCKET: login.socketPath,
      DATABASE_USER: login.user,
      DATABASE_PASSWORD_FILE: login.passwordFile,
    });
  }

  const env = {
    ...engineEnv,
    ...(await templatesFile(dir, options)),
    CONTAINER_MODE: options.engine,
    DEPLOYMENT: `test-${newHostLabel().slice(0, 8)}`,
    VALKEY_ADDR: `127.0.0.1:${ports.valkey}`,
    NATS_URL: `nats://127.0.0.1:${ports.nats}`,
    CADDY_ADMIN_URL: `http://127.0.0.1:${ports.caddyAdmin}`,
    PROXY_LISTEN: `:${ports.proxy}`,
    SERVER_PORT: String(ports.server),
    ADMIN_ADDR: `127.0.0.1:${await freePort()}`,
    DISCOVERY_ADDR: `127.0.0.1:${ports.discovery}`,
    DISCOVERY_METRICS_ADDR: `127.0.0.1:${ports.discoveryMetrics}`,
    DISCOVERY_SNAPSHOT_FILE: join(dir, 'hostnames.json'),
    CONTAINER_PORT_RANGE_START: String(instances.start),
    CONTAINER_PORT_RANGE_END: String(instances.end),
    CONTAINER_PORT_COOLDOWN: '10s',
    RATE_LIMIT_HOURLY: '0',
    RATE_LIMIT_DAILY: '0',
    QUEUE_WORKER_COUNT: String(options.workers),
    CRIU_ENABLED: 'false',
    ...options.env,
  };
  const { config } = loadConfig(env);
  releasers.push('containers', () => removeContainers(config, options.engine));
  parts.set('discovery', await startDiscovery(config.proxy, env, releasers));

  const api = `http://127.0.0.1:${ports.server}`;
  const server = await Part.start(() =>
    ChildServer.start({
      name: 'server',
      command: process.execPath,
      args: [MAIN, 'serve'],
      env,
      isUp: async () => (await fetch(`${api}/health`)).ok,
      startTimeoutMs: 30_000,
    }),
  );
  releasers.push('server', () => server.stop());
  parts.set('api', server);
  return {
    config,
    api,
    proxyPort: ports.proxy,
    simulatedEngine,
    auditTarget: {
      valkeyPort: ports.valkey,
      natsUrl: env.NATS_URL,
      caddyAdminUrl: env.CADDY_ADMIN_URL,
      proxyPort: ports.proxy,
      deployment: env.DEPLOYMENT,
      portRange: [instances.start, instances.end],
      engine: { kind: options.engine, socketPath: engineSocket },
      targets: Object.fromEntries(config.templates.map(({ name, pool }) => [name, pool.target])),
      ...(options.databases
        ? { mariadb: { socketPath: login.socketPath, user: login.user, password: login.password } }
        : {}),
    },
    part: (name) => {
      const part = parts.get(name);
      if (part === undefined) throw new Error(`this world has no ${name}`);
      return part;
    },
    serverLog: () => server.tail(60),
  };
}

async function templatesFile(
  dir: string,
  { app, target, max, databases }: WorldOptions,
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

async function removeContainers(config: Config, engine: 'simulated' | 'podman'): Promise<void> {
  const runtime = createRuntime(engine, config, silent);
  try {
    await Promise.all((await runtime.list()).map(({ name }) => runtime.remove(name)));
    if (!(await runtime.unprepare())) throw new Error('containers of the test are still there');
  } finally {
    await runtime.close();
  }
}
