import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { ChildServer, findProgram } from '../../src/launcher/child-server.ts';
import { answers, freePort } from '../../src/launcher/tcp-ports.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import {
  Cleanups,
  addressesOf,
  drawPorts,
  launchBacking,
  ownFolder,
  ownSettings,
  removeContainers,
} from './deployment.ts';
import { eventually } from './eventually.ts';
import { claimPorts } from './port-ranges.ts';
import { Program } from './program.ts';
import { shippedBalancer } from './shipped-balancer.ts';
import { activate, type Activated } from './socket-activation.ts';
import type { AuditTarget, AuditedNode } from './state-audit.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START = { timeoutMs: 120_000 };
/** Of what a process that does not come up has written. */
const SHOWN = 4_000;

interface BalancedOptions {
  readonly servers: number;
  /** As in a catalogue file. */
  readonly templates: readonly (Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly pool: { readonly target: number; readonly max: number };
  })[];
  /** How many ports its instances share. */
  readonly ports: number;
  readonly env: Readonly<Record<string, string>>;
  /** A worker on a node of its own, `node1`, beside those of the servers. */
  readonly furtherNode?: boolean;
  /** Where the program of the process of this name is: `discovery`, `server0` …, `worker`. Ours without it. */
  readonly program?: (name: string) => string;
}

/** What a service manager keeps running, whichever process it is just now. */
class Service {
  readonly #command: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #main: string;
  readonly #isUp: (said: string) => Promise<void>;
  #program: Program | undefined;
  /** Of the processes before. */
  #said = '';

  /** `isUp` throws while it is not, given what the process has written. */
  constructor(options: {
    readonly command: string;
    readonly env: Readonly<Record<string, string>>;
    readonly main: string;
    readonly isUp: (said: string) => Promise<void>;
  }) {
    this.#command = options.command;
    this.#env = options.env;
    this.#main = options.main;
    this.#isUp = options.isUp;
  }

  /** What all its processes have written. */
  get output(): string {
    return this.#said + (this.#program?.output ?? '');
  }

  /** Resolves once it is up. */
  async start(): Promise<void> {
    this.#said = this.output;
    const program = new Program([this.#command], this.#env, 'pipe', this.#main);
    this.#program = program;
    await eventually(() => this.#isUp(program.output), START).catch((error: unknown) => {
      throw new Error(`${this.#command} does not come up: ${program.output.slice(-SHOWN)}`, { cause: error });
    });
  }

  /** As a service manager does. Returns its exit code. */
  async stop(): Promise<number | null> {
    this.#program?.signal('SIGTERM');
    return (await this.#program?.exitCode) ?? null;
  }

  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
  }
}

/** One of several servers: up once it says that it may be sent requests. */
class BalancedServer extends Service {
  readonly api: string;

  constructor(port: number, env: Readonly<Record<string, string>>, main: string) {
    const api = `http://127.0.0.1:${port}`;
    const isUp = async (): Promise<void> => expect((await fetch(`${api}/ready`)).status).toBe(200);
    super({ command: 'serve', env: { ...env, SERVER_PORT: String(port) }, main, isUp });
    this.api = api;
  }

  /** What it does for all. */
  async leads(): Promise<string[]> {
    const text = await (await fetch(`${this.api}/metrics`)).text();
    return [...text.matchAll(/^try_it_now_leader\{role="([^"]*)"\} 1$/gm)].map(([, role = '']) => role).sort();
  }
}

export interface BalancedServers extends AsyncDisposable {
  /** Where the load balancer listens. */
  readonly url: string;
  /** Where Caddy answers visitors of instances. */
  readonly proxyPort: number;
  readonly servers: readonly BalancedServer[];
  /** Undefined without a further node. */
  readonly worker: Service | undefined;
  /** Its socket is kept by another process, as by systemd. */
  readonly discovery: Activated;
  readonly auditTarget: AuditTarget;
}

/**
 * Several servers on one node behind a load balancer as it is shipped: real Valkey, NATS and Caddys, discovery and
 * simulated containers in processes of their own. All answer when this resolves.
 */
export async function startBalancedServers(options: BalancedOptions): Promise<BalancedServers> {
  const cleanups = new Cleanups('the balanced servers');
  try {
    return await start(options, cleanups);
  } catch (error) {
    await cleanups[Symbol.asyncDispose]();
    throw error;
  }
}

async function start(options: BalancedOptions, cleanups: Cleanups): Promise<BalancedServers> {
  const { program = () => MAIN } = options;
  const dir = await ownFolder(cleanups, 'tin-balanced-');
  const engine = await ownEngine(dir, cleanups);
  const backing = await launchBacking(dir, cleanups);
  const instances = await claimPorts(options.ports);
  cleanups.push(() => instances[Symbol.asyncDispose]());
  const templatesFile = join(dir, 'templates.yaml');
  await writeFile(templatesFile, stringify({ templates: options.templates }));
  const ports = await drawPorts();
  const balancerPort = await freePort();
  const own = ownSettings(ports, instances);
  const env = {
    ...own,
    ...addressesOf(backing),
    CONTAINER_MODE: 'simulated',
    SIMULATED_SOCKET: engine.socketPath,
    TEMPLATES_FILE: templatesFile,
    CRIU_ENABLED: 'false',
    PUBLIC_URL: `http://localhost:${balancerPort}`,
    TRUSTED_PROXIES: '127.0.0.1',
    ...options.env,
  };
  const discovery = await activate({
    name: 'discovery',
    listen: { host: '127.0.0.1', port: ports.discovery },
    command: [process.execPath, program('discovery'), 'discovery'],
    env: { ...env, LOG_LEVEL: 'info' },
    saysUp: 'Discovery answers',
  });
  cleanups.push(() => discovery.server.stop());
  cleanups.push(() => removeContainers('simulated', loadConfig(env).config));
  const servers = await startServers(options, env, cleanups);
  await startBalancer(dir, balancerPort, servers, cleanups);
  const further = options.furtherNode === true ? await startFurtherNode(options, env, dir, cleanups) : undefined;
  return {
    url: `http://127.0.0.1:${balancerPort}`,
    proxyPort: ports.proxy,
    servers,
    worker: further?.worker,
    discovery,
    auditTarget: {
      valkeyPort: Number(backing.valkey.address.split(':')[1]),
      natsUrl: backing.nats.url,
      caddyAdminUrl: backing.caddy.adminUrl,
      proxyPort: ports.proxy,
      deployment: own.DEPLOYMENT,
      portRange: [instances.start, instances.end],
      engine: { kind: 'simulated', socketPath: engine.socketPath },
      furtherNodes: further === undefined ? [] : [further.audited],
      targets: Object.fromEntries(options.templates.map(({ name, pool }) => [name, pool.target])),
    },
    [Symbol.asyncDispose]: () => cleanups[Symbol.asyncDispose](),
  };
}

async function startServers(
  { servers, program = () => MAIN }: BalancedOptions,
  env: Readonly<Record<string, string>>,
  cleanups: Cleanups,
): Promise<readonly BalancedServer[]> {
  return Promise.all(
    Array.from({ length: servers }, async (_, at) => {
      const [port, admin] = [await freePort(), await freePort()];
      const server = new BalancedServer(port, { ...env, ADMIN_ADDR: `127.0.0.1:${admin}` }, program(`server${at}`));
      cleanups.push(() => server.kill());
      await server.start();
      return server;
    }),
  );
}

const FURTHER_NODE = 'node1';

async function startFurtherNode(
  { ports, program = () => MAIN }: BalancedOptions,
  env: Readonly<Record<string, string>>,
  dir: string,
  cleanups: Cleanups,
): Promise<{ readonly worker: Service; readonly audited: AuditedNode }> {
  const own = join(dir, FURTHER_NODE);
  await mkdir(own);
  const engine = await ownEngine(own, cleanups);
  const { start: first, end: last, ...claimed } = await claimPorts(ports);
  cleanups.push(() => claimed[Symbol.asyncDispose]());
  const settings = {
    ...env,
    NODE_NAME: FURTHER_NODE,
    SIMULATED_SOCKET: engine.socketPath,
    CONTAINER_PORT_RANGE_START: String(first),
    CONTAINER_PORT_RANGE_END: String(last),
  };
  cleanups.push(() => removeContainers('simulated', loadConfig(settings).config));
  const worker = new Service({
    command: 'worker',
    env: settings,
    main: program('worker'),
    isUp: (said) => {
      expect(said).toContain('"Try It Now started"');
      return Promise.resolve();
    },
  });
  cleanups.push(() => worker.kill());
  await worker.start();
  const audited = {
    name: FURTHER_NODE,
    portRange: [first, last],
    engine: { kind: 'simulated', socketPath: engine.socketPath },
  } as const;
  return { worker, audited };
}

async function ownEngine(dir: string, cleanups: Cleanups): Promise<{ readonly socketPath: string }> {
  const engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  cleanups.push(() => engine[Symbol.asyncDispose]());
  return engine;
}

async function startBalancer(
  dir: string,
  port: number,
  servers: readonly BalancedServer[],
  cleanups: Cleanups,
): Promise<void> {
  const file = join(dir, 'Caddyfile.balanced');
  await writeFile(
    file,
    await shippedBalancer(
      port,
      servers.map(({ api }) => new URL(api).host),
    ),
  );
  const balancer = await ChildServer.start({
    name: 'the load balancer',
    command: findProgram('caddy') ?? 'caddy',
    args: ['run', '--config', file, '--adapter', 'caddyfile'],
    cwd: dir,
    cleanEnv: true,
    env: { XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir, HOME: dir },
    isUp: () => answers(port),
  });
  cleanups.push(() => balancer.stop());
}
