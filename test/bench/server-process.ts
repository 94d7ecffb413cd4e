import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { createRuntime } from '../../src/composition/engines.ts';
import { loadConfig } from '../../src/config/load.ts';
import { newHostLabel } from '../../src/domain/ids.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchNats } from '../../src/launcher/nats.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { silent } from '../support/store.ts';
import { eventually } from '../support/eventually.ts';

export interface ServerProcess extends AsyncDisposable {
  readonly api: string;
  readonly proxyPort: number;
  /** From the start of the server process until the pool was full. */
  readonly filledInMs: number;
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
  const cleanups: (() => Promise<unknown>)[] = [];
  const dispose = async (): Promise<void> => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  };
  try {
    const dir = await mkdtemp(join(tmpdir(), 'try-it-now-bench-'));
    cleanups.push(() => rm(dir, { recursive: true, force: true }));
    const folder = async (name: string): Promise<string> => {
      await mkdir(join(dir, name));
      return join(dir, name);
    };
    const valkey = await launchValkey({ dir: await folder('valkey') });
    cleanups.push(() => valkey.server.stop());
    const nats = await launchNats({ dir: await folder('nats') });
    cleanups.push(() => nats.server.stop());
    const caddy = await launchCaddy({ dir: await folder('caddy') });
    cleanups.push(() => caddy.server.stop());

    const { target, threshold = 0.95, app = {} } = options;
    const templatesFile = join(dir, 'templates.yaml');
    const template = {
      name: 'bench',
      title: 'Bench',
      image: 'localhost/unused',
      port: 80,
      readiness: { path: '/' },
      ...app,
      pool: { target, max: options.room ?? target, replenish_threshold: threshold },
    };
    await writeFile(templatesFile, stringify({ templates: [template] }));
    const [proxyPort, serverPort, discoveryPort] = [await freePort(), await freePort(), await freePort()];
    const env = {
      CONTAINER_MODE: options.engine,
      TEMPLATES_FILE: templatesFile,
      VALKEY_ADDR: valkey.address,
      NATS_URL: nats.url,
      CADDY_ADMIN_URL: caddy.adminUrl,
      PROXY_LISTEN: `:${proxyPort}`,
      SERVER_PORT: String(serverPort),
      ADMIN_ADDR: `127.0.0.1:${await freePort()}`,
      DISCOVERY_ADDR: `127.0.0.1:${discoveryPort}`,
      DISCOVERY_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
      DEPLOYMENT: `bench-${newHostLabel().slice(0, 8)}`,
      CONTAINER_PORT_RANGE_START: String(options.portRange[0]),
      CONTAINER_PORT_RANGE_END: String(options.portRange[1]),
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

    // A server that stops leaves its containers to its next start; here there is none.
    cleanups.push(async () => {
      const runtime = createRuntime(await loadEngine(options.engine), loadConfig(env).config, silent);
      await Promise.all((await runtime.list()).map(({ name }) => runtime.remove(name)));
      await runtime.unprepare();
      await runtime.close();
    });
    const api = `http://127.0.0.1:${serverPort}`;
    const startedAt = performance.now();
    const server = await ChildServer.start({
      name: 'server',
      command: process.execPath,
      args: [MAIN, 'serve'],
      env,
      isUp: async () => (await fetch(`${api}/health`)).ok,
      startTimeoutMs: 30_000,
    });
    cleanups.push(() => server.stop());
    await eventually(
      async () => {
        const stats = (await (await fetch(`${api}/api/v1/pool/stats`)).json()) as { ready: number };
        if (!server.alive) throw new Error(`the server ended: ${server.tail()}`);
        if (stats.ready < target) throw new Error(`${stats.ready} of ${target} are ready: ${server.tail(3)}`);
      },
      { timeoutMs: 600_000, everyMs: 50 },
    );
    return { api, proxyPort, filledInMs: performance.now() - startedAt, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
