import type { Logger } from 'pino';
import { startApp, type App, type AppOptions } from '../../src/composition/app.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Template } from '../../src/domain/template.ts';
import type { LaunchedCaddy } from '../../src/launcher/caddy.ts';
import type { LaunchedNats } from '../../src/launcher/nats.ts';
import type { LaunchedValkey } from '../../src/launcher/valkey.ts';
import { startDiscovery } from '../../src/proxy/discovery/discovery.ts';
import { DNS_OUTCOMES } from '../../src/proxy/discovery/interfaces/hostname-source.ts';
import type { ReadTemplates } from '../../src/pool/reload-templates.ts';
import type { Tracing } from '../../src/telemetry/tracing/tracing.ts';
import { DiscoveryMetrics } from '../../src/telemetry/discovery-metrics.ts';
import { greet } from '../../src/runtime/readiness/greet.ts';
import { startHttpListener } from '../../src/proxy/discovery/http-listener.ts';
import { ValkeyHostnameSource } from '../../src/store/hostname-source.ts';
import type { TaskPatience } from '../../src/store/task-patience.ts';
import { engineCalled, type EngineName } from '../../src/runtime/engines.ts';
import {
  Cleanups,
  addressesOf,
  drawPorts,
  launchBacking,
  ownFolder,
  ownSettings,
  removeContainers,
} from './deployment.ts';
import { claimPorts } from './port-ranges.ts';
import { PATIENT_DISCOVERY } from './proxy.ts';
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
  /**
   * Stops the server and starts it again on the same parts, as a deployment would; `meanwhile` runs in between,
   * `templates` replace the old ones.
   */
  restart(meanwhile?: () => Promise<void>, templates?: readonly Template[]): Promise<void>;
}

export interface StackOptions {
  readonly engine?: EngineName;
  /** The engine's socket. */
  readonly socketPath?: string;
  readonly templates?: readonly Template[];
  readonly env?: Readonly<Record<string, string>>;
  /** For tests of what the reconciler brings about, which need not wait as long as production. */
  readonly reconcileIntervalMs?: number;
  /** For tests of tasks that are lost. */
  readonly taskPatience?: TaskPatience;
  readonly log?: Logger;
  readonly tracing?: Tracing;
  /** What a reload reads; without it the templates stay as they are. */
  readonly readTemplates?: () => ReadTemplates;
  readonly onHandling?: AppOptions['onHandling'];
}

const PORTS_A_STACK = 300;

/** Every part for real, on free ports, with a deployment name of its own; all of it is gone when disposed. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const cleanups = new Cleanups('the stack');
  try {
    return await startParts(options, cleanups);
  } catch (error) {
    await cleanups[Symbol.asyncDispose]();
    throw error;
  }
}

async function startParts(options: StackOptions, cleanups: Cleanups): Promise<Stack> {
  const { engine = 'simulated', templates = [tiny()], log = silent } = options;
  const instances = await claimPorts(PORTS_A_STACK);
  cleanups.push(() => instances[Symbol.asyncDispose]());
  const backing = await launchBacking(await ownFolder(cleanups, 'try-it-now-stack-'), cleanups);
  const ports = await drawPorts();
  const config: Config = {
    ...loadConfig({
      CONTAINER_MODE: engine,
      CONTAINER_IMAGE: 'localhost/unused',
      // Whether this host can restore is only tried where a test is about restores.
      CRIU_ENABLED: 'false',
      ...addressesOf(backing),
      ...ownSettings(ports, instances),
      ...(options.socketPath === undefined ? {} : { [engineCalled(engine).socket.variable]: options.socketPath }),
      ...options.env,
    }).config,
    templates,
  };
  await startOwnDiscovery(config, cleanups);
  cleanups.push(() => removeContainers(engine, config));
  const { reconcileIntervalMs, taskPatience, tracing, readTemplates, onHandling } = options;
  const start = (offered: readonly Template[]): Promise<App> =>
    startApp({
      config: { ...config, templates: offered },
      log,
      role: 'server',
      version: 'test',
      onHandling,
      ...(reconcileIntervalMs === undefined ? {} : { reconcileIntervalMs }),
      ...(taskPatience === undefined ? {} : { taskPatience }),
      ...(tracing === undefined ? {} : { tracing }),
      ...(readTemplates === undefined ? {} : { readTemplates }),
    });
  let app = await start(templates);
  cleanups.push(() => app.stop());
  return {
    config,
    ...backing,
    api: `http://127.0.0.1:${config.server.port}`,
    proxy: `http://127.0.0.1:${ports.proxy}`,
    get app() {
      return app;
    },
    restart: async (meanwhile, newTemplates = templates) => {
      await app.stop();
      await meanwhile?.();
      app = await start(newTemplates);
    },
    [Symbol.asyncDispose]: () => cleanups[Symbol.asyncDispose](),
  };
}

async function startOwnDiscovery(config: Config, cleanups: Cleanups): Promise<void> {
  const source = new ValkeyHostnameSource({ ...config.valkey, log: silent });
  const discovery = await startDiscovery({
    listen: config.proxy.discovery,
    source,
    greet,
    log: silent,
    useReports: source.useReports,
    ...PATIENT_DISCOVERY,
  });
  const closeHttp = await startHttpListener({
    listen: config.proxy.discovery.metrics,
    metrics: new DiscoveryMetrics({ version: 'test', outcomes: DNS_OUTCOMES, stats: () => discovery.stats() }),
    ask: {
      baseDomain: config.proxy.address.baseDomain,
      startPageHost: new URL(config.server.publicUrl).hostname,
      isLive: (label) => discovery.isLive(label),
    },
  });
  cleanups.push(async () => {
    closeHttp();
    await discovery.close();
    source.close();
  });
}
