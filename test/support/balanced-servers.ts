import { writeFile } from 'node:fs/promises';
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
import type { AuditTarget } from './state-audit.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START = { timeoutMs: 120_000 };

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
}

/** One of several servers, whichever process it is just now. */
class BalancedServer {
  readonly api: string;
  readonly #env: Readonly<Record<string, string>>;
  #program: Program | undefined;
  /** Of the processes before. */
  #said = '';

  constructor(port: number, env: Readonly<Record<string, string>>) {
    this.api = `http://127.0.0.1:${port}`;
    this.#env = { ...env, SERVER_PORT: String(port) };
  }

  /** What all its processes have written. */
  get output(): string {
    return this.#said + (this.#program?.output ?? '');
  }

  /** Resolves once it says that it may be sent requests. */
  async start(): Promise<void> {
    this.#said = this.output;
    this.#program = new Program(['serve'], this.#env);
    await eventually(async () => expect((await fetch(`${this.api}/ready`)).status).toBe(200), START);
  }

  /** As a service manager does. Returns its exit code. */
  async stop(): Promise<number | null> {
    this.#program?.signal('SIGTERM');
    return (await this.#program?.exitCode) ?? null;
  }

  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
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
  const dir = await ownFolder(cleanups, 'tin-balanced-');
  const engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  cleanups.push(() => engine[Symbol.asyncDispose]());
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
  const discovery = await ChildServer.start({
    name: 'discovery',
    command: process.execPath,
    args: [MAIN, 'discovery'],
    env: { ...env, LOG_LEVEL: 'info' },
    saysUp: 'Discovery answers',
  });
  cleanups.push(() => discovery.stop());
  cleanups.push(() => removeContainers('simulated', loadConfig(env).config));
  const servers = await Promise.all(
    Array.from({ length: options.servers }, async () => {
      const [port, admin] = [await freePort(), await freePort()];
      const server = new BalancedServer(port, { ...env, ADMIN_ADDR: `127.0.0.1:${admin}` });
      cleanups.push(() => server.kill());
      await server.start();
      return server;
    }),
  );
  await startBalancer(dir, balancerPort, servers, cleanups);
  return {
    url: `http://127.0.0.1:${balancerPort}`,
    proxyPort: ports.proxy,
    servers,
    auditTarget: {
      valkeyPort: Number(backing.valkey.address.split(':')[1]),
      natsUrl: backing.nats.url,
      caddyAdminUrl: backing.caddy.adminUrl,
      proxyPort: ports.proxy,
      deployment: own.DEPLOYMENT,
      portRange: [instances.start, instances.end],
      engine: { kind: 'simulated', socketPath: engine.socketPath },
      targets: Object.fromEntries(options.templates.map(({ name, pool }) => [name, pool.target])),
    },
    [Symbol.asyncDispose]: () => cleanups[Symbol.asyncDispose](),
  };
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
