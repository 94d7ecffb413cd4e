import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { newHostLabel } from '../../src/domain/ids.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import {
  Cleanups,
  addressesOf,
  drawPorts,
  launchBacking,
  ownFolder,
  ownSettings,
  removeContainers,
} from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';

export interface ServerProcess extends AsyncDisposable {
  readonly api: string;
  readonly proxyPort: number;
  /** From the start of the server process until the pool was full. */
  readonly filledInMs: number;
  readonly valkeyAddress: string;
  readonly pids: { readonly server: number; readonly valkey: number };
}

export interface ServerProcessOptions {
  readonly engine: 'podman' | 'simulated';
  readonly socketPath?: string;
  readonly target: number;
  readonly workers: number;
  readonly portRange: readonly [number, number];
  readonly app?: Readonly<Record<string, unknown>>;
  /** Share of the pool that may be taken before a refill would disturb the measurement. */
  readonly threshold?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Instances there may be, assigned ones included; the target without it. */
  readonly room?: number;
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The built server and discovery as processes of their own, with real Valkey, NATS and Caddy, and a full pool. */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const cleanups = new Cleanups('the benchmark');
  try {
    return await startProcesses(options, cleanups);
  } catch (error) {
    await cleanups[Symbol.asyncDispose]();
    throw error;
  }
}

async function startProcesses(options: ServerProcessOptions, cleanups: Cleanups): Promise<ServerProcess> {
  const dir = await ownFolder(cleanups, 'try-it-now-bench-');
  const backing = await launchBacking(dir, cleanups);
  const ports = await drawPorts();
  const [start, end] = options.portRange;
  const env = {
    CONTAINER_MODE: options.engine,
    ...(options.engine === 'simulated' ? await ownSimulatedEngine(dir, cleanups) : {}),
    TEMPLATES_FILE: await templatesFile(dir, options),
    ...addressesOf(backing),
    ...ownSettings(ports, { start, end }),
    DEPLOYMENT: `bench-${newHostLabel().slice(0, 8)}`,
    RATE_LIMIT_HOURLY: '1000000',
    RATE_LIMIT_DAILY: '1000000',
    QUEUE_WORKER_COUNT: String(options.workers),
    POOL_MAX_AGE: '48h',
    ...(options.socketPath === undefined ? {} : { PODMAN_SOCKET: options.socketPath }),
    ...options.env,
  };
  const discovery = await ChildServer.start({
    name: 'discovery',
    command: process.execPath,
    args: [MAIN, 'discovery'],
    env,
    saysUp: 'Discovery answers',
  });
  cleanups.push(() => discovery.stop());
  cleanups.push(() => removeContainers(options.engine, loadConfig(env).config));
  const api = `http://127.0.0.1:${ports.server}`;
  const startedAt = performance.now();
  const server = await ChildServer.start({
    name: 'server',
    command: process.execPath,
    args: [MAIN, 'serve'],
    env,
    isUp: async () => (await fetch(`${api}/health`)).ok,
  });
  cleanups.push(() => server.stop());
  await untilFull(api, server, options.target);
  return {
    api,
    proxyPort: ports.proxy,
    filledInMs: performance.now() - startedAt,
    valkeyAddress: backing.valkey.address,
    pids: { server: pidOf(server), valkey: pidOf(backing.valkey.server) },
    [Symbol.asyncDispose]: () => cleanups[Symbol.asyncDispose](),
  };
}

/** Instances are never part of the server: what they cost is not counted as its own. */
async function ownSimulatedEngine(dir: string, cleanups: Cleanups): Promise<{ readonly SIMULATED_SOCKET: string }> {
  const { server, socketPath } = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  cleanups.push(() => server.stop());
  return { SIMULATED_SOCKET: socketPath };
}

function pidOf({ name, pid }: ChildServer): number {
  if (pid === undefined) throw new Error(`${name} has no process`);
  return pid;
}

async function templatesFile(
  dir: string,
  { target, threshold = 0.95, app = {}, room = target }: ServerProcessOptions,
): Promise<string> {
  const file = join(dir, 'templates.yaml');
  const template = {
    name: 'bench',
    title: 'Bench',
    image: 'localhost/unused',
    port: 80,
    readiness: { path: '/' },
    ...app,
    pool: { target, max: room, replenish_threshold: threshold },
  };
  await writeFile(file, stringify({ templates: [template] }));
  return file;
}

async function untilFull(api: string, server: ChildServer, target: number): Promise<void> {
  await eventually(
    async () => {
      const stats = (await (await fetch(`${api}/api/v1/pool/stats`)).json()) as { ready: number };
      if (!server.alive) throw new Error(`the server ended: ${server.tail()}`);
      if (stats.ready < target) throw new Error(`${stats.ready} of ${target} are ready: ${server.tail(3)}`);
    },
    { timeoutMs: 600_000, everyMs: 50 },
  );
}
