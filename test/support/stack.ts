import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { startApp, type App } from '../../src/composition/app.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Template } from '../../src/domain/template.ts';
import { newHostLabel } from '../../src/domain/ids.ts';
import { launchCaddy, type LaunchedCaddy } from '../../src/launcher/caddy.ts';
import { launchNats, type LaunchedNats } from '../../src/launcher/nats.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey, type LaunchedValkey } from '../../src/launcher/valkey.ts';
import { startDiscovery } from '../../src/proxy/discovery/discovery.ts';
import { ValkeyHostnameSource } from '../../src/store/hostname-source.ts';
import { createRuntime } from '../../src/composition/engines.ts';
import type { TaskPatience } from '../../src/store/task-patience.ts';
import { claimPorts } from './port-ranges.ts';
import { silent } from './store.ts';
import { template as tiny } from './templates.ts';

export interface Stack extends AsyncDisposable {
  readonly config: Config;
  readonly app: App;
  /** http://127.0.0.1:<port> of the API. */
  readonly api: string;
  /** http://127.0.0.1:<port> of Caddy. */
  readonly proxy: string;
  readonly valkey: LaunchedValkey;
  readonly nats: LaunchedNats;
  readonly caddy: LaunchedCaddy;
  /** Stops the server and starts it again on the same parts, as a deployment would; `meanwhile` runs in between, `templates` replace the old ones. */
  restart(meanwhile?: () => Promise<void>, templates?: readonly Template[]): Promise<void>;
}

export interface StackOptions {
  readonly engine?: 'podman' | 'docker' | 'simulated';
  /** The engine's socket. */
  readonly socketPath?: string;
  readonly templates?: readonly Template[];
  readonly env?: Readonly<Record<string, string>>;
  /** For tests of what the reconciler brings about, which need not wait as long as production. */
  readonly reconcileIntervalMs?: number;
  /** For tests of tasks that are lost. */
  readonly taskPatience?: TaskPatience;
  readonly log?: Logger;
}

const PORTS_A_STACK = 300;

/** Every part for real, on free ports, with a deployment name of its own; all of it is gone when disposed. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { engine = 'simulated', socketPath, templates = [tiny()], log = silent } = options;
  const cleanups: (() => Promise<unknown>)[] = [];
  const dispose = async (): Promise<void> => {
    const errors: unknown[] = [];
    for (const cleanup of cleanups.reverse()) await cleanup().catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw new AggregateError(errors, 'the stack left something behind');
  };
  try {
    const instances = await claimPorts(PORTS_A_STACK);
    cleanups.push(async () => instances[Symbol.asyncDispose]());
    const dir = await mkdtemp(join(tmpdir(), 'try-it-now-stack-'));
    cleanups.push(() => rm(dir, { recursive: true, force: true }));
    const folder = async (name: string): Promise<string> => {
      await mkdir(join(dir, name));
      return join(dir, name);
    };
    const [valkey, nats, caddy] = await Promise.all([
      launchValkey({ dir: await folder('valkey') }),
      launchNats({ dir: await folder('nats') }),
      launchCaddy({ dir: await folder('caddy') }),
    ]);
    cleanups.push(() => Promise.all([valkey, nats, caddy].map(({ server }) => server.stop())));

    const [proxyPort, serverPort, discoveryPort] = [await freePort(), await freePort(), await freePort()];
    const env = {
      CONTAINER_MODE: engine,
      CONTAINER_IMAGE: 'localhost/unused',
      // Whether this host can restore is only tried where a test is about restores.
      CRIU_ENABLED: 'false',
      VALKEY_ADDR: valkey.address,
      NATS_URL: nats.url,
      CADDY_ADMIN_URL: caddy.adminUrl,
      PROXY_LISTEN: `:${proxyPort}`,
      SERVER_PORT: String(serverPort),
      ADMIN_ADDR: `127.0.0.1:${await freePort()}`,
      DISCOVERY_ADDR: `127.0.0.1:${discoveryPort}`,
      DEPLOYMENT: `test-${newHostLabel().slice(0, 8)}`,
      CONTAINER_PORT_RANGE_START: String(instances.start),
      CONTAINER_PORT_RANGE_END: String(instances.end),
      RATE_LIMIT_HOURLY: '0',
      RATE_LIMIT_DAILY: '0',
      ...(socketPath === undefined ? {} : { [engine === 'podman' ? 'PODMAN_SOCKET' : 'DOCKER_SOCKET']: socketPath }),
      ...options.env,
    };
    const config: Config = { ...loadConfig(env).config, templates };

    const source = new ValkeyHostnameSource({ ...config.valkey, log: silent });
    const discovery = await startDiscovery({ listen: config.proxy.discovery, source, log: silent });
    cleanups.push(async () => {
      await discovery.close();
      source.close();
    });
    cleanups.push(async () => {
      const runtime = createRuntime(engine, config, silent);
      for (const { name } of await runtime.list()) await runtime.remove(name);
      if (!(await runtime.unprepare())) throw new Error('containers of the test are still there');
      await runtime.close();
    });
    const start = (offered: readonly Template[]): Promise<App> =>
      startApp({
        config: { ...config, templates: offered },
        log,
        role: 'server',
        version: 'test',
        ...(options.reconcileIntervalMs === undefined ? {} : { reconcileIntervalMs: options.reconcileIntervalMs }),
        ...(options.taskPatience === undefined ? {} : { taskPatience: options.taskPatience }),
      });
    let app = await start(templates);
    cleanups.push(() => app.stop());
    return {
      config,
      valkey,
      nats,
      caddy,
      api: `http://127.0.0.1:${serverPort}`,
      proxy: `http://127.0.0.1:${proxyPort}`,
      get app() {
        return app;
      },
      restart: async (meanwhile, newTemplates = templates) => {
        await app.stop();
        await meanwhile?.();
        app = await start(newTemplates);
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
