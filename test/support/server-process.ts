import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { createRuntime } from '../../src/composition/engines.ts';
import { loadConfig } from '../../src/config/load.ts';
import { newHostLabel } from '../../src/domain/ids.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchNats } from '../../src/launcher/nats.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import type { AuditTarget } from './state-audit.ts';
import { eventually } from './eventually.ts';
import { claimPorts } from './port-ranges.ts';
import { silent } from './store.ts';
import { httpDialect, mariadbDialect, natsDialect, valkeyDialect, type Dialect } from './wire-dialects.ts';
import { Tripwire, Wiretap, type Endpoint } from './wiretap.ts';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const MAIN = join(DIST, 'main.js');
const START_TIMEOUT_MS = 60_000;

export interface ServerProcessOptions {
  readonly engine: 'podman' | 'simulated';
  /** Of a service that outlives the server: Podman's, or the simulated engine's own process. */
  readonly engineSocket: string;
  /** As in a catalogue file. */
  readonly templates: readonly (Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly pool: { readonly target: number; readonly max: number };
  })[];
  readonly mariadb?: { readonly socketPath: string; readonly user: string; readonly password: string };
  /** How many its instances share. */
  readonly ports: number;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The built server as a process that can be killed and started again on the same parts, each of them real, and each but
 * Caddy behind a wiretap. Discovery is a process of its own, as in production, and knows nothing of the taps.
 */
export class ServerProcess implements AsyncDisposable {
  readonly tripwire: Tripwire;
  readonly api: string;
  /** Where Caddy answers visitors. */
  readonly proxyPort: number;
  readonly auditTarget: AuditTarget;
  readonly #env: Readonly<Record<string, string>>;
  readonly #cleanups: (() => Promise<unknown>)[];
  #server: ChildServer | undefined;

  private constructor(parts: Parts, cleanups: (() => Promise<unknown>)[]) {
    this.tripwire = parts.tripwire;
    this.api = parts.api;
    this.proxyPort = parts.proxyPort;
    this.auditTarget = parts.auditTarget;
    this.#env = parts.env;
    this.#cleanups = cleanups;
  }

  /** Everything up, and the server answering; its pools may still be empty. */
  static async launch(options: ServerProcessOptions): Promise<ServerProcess> {
    const cleanups: (() => Promise<unknown>)[] = [];
    try {
      const launched = new ServerProcess(await launchParts(options, cleanups), cleanups);
      cleanups.push(() => launched.stop());
      await launched.start();
      return launched;
    } catch (error) {
      await runBackwards(cleanups);
      throw error;
    }
  }

  get pid(): number {
    const pid = this.#server?.pid;
    if (pid === undefined) throw new Error('the server is not running');
    return pid;
  }

  get alive(): boolean {
    return this.#server?.alive === true;
  }

  /** The last lines it wrote. */
  tail(lines = 30): string {
    return this.#server?.tail(lines) ?? '';
  }

  /** Resolves when it answers. Throws with its last lines when it ends before that. */
  async start(): Promise<void> {
    await this.spawn();
    await this.untilUp();
  }

  /** Resolves as soon as there is a process, which has done nothing yet. */
  async spawn(): Promise<void> {
    this.#server = await ChildServer.start({
      name: 'server',
      command: process.execPath,
      args: [MAIN, 'serve'],
      env: this.#env,
      isUp: () => Promise.resolve(true),
    });
  }

  async untilUp(): Promise<void> {
    const ended: { how?: string } = {};
    void this.#server?.exited.then((how) => {
      ended.how = how;
    });
    await eventually(
      async () => {
        if (ended.how === undefined) expect((await fetch(`${this.api}/health`)).ok).toBe(true);
      },
      { timeoutMs: START_TIMEOUT_MS },
    );
    if (ended.how !== undefined) throw new Error(`the server did not start (${ended.how}): ${this.tail()}`);
  }

  /** Resolves when the process is gone, no matter who ended it. */
  async gone(): Promise<void> {
    await this.#server?.exited;
  }

  async kill(): Promise<void> {
    this.#server?.signal('SIGKILL');
    await this.gone();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tripwire.disarm();
    await runBackwards(this.#cleanups);
  }
}

interface Parts {
  readonly tripwire: Tripwire;
  readonly api: string;
  readonly proxyPort: number;
  readonly auditTarget: AuditTarget;
  readonly env: Readonly<Record<string, string>>;
}

async function launchParts(options: ServerProcessOptions, cleanups: (() => Promise<unknown>)[]): Promise<Parts> {
  const dir = await mkdtemp(join(tmpdir(), 'tin-server-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  // MariaDB's folder is mounted into instances, whose processes are no root.
  await chmod(dir, 0o711);
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

  const tripwire = new Tripwire();
  const tap = async (wire: string, dialect: Dialect, listen: Endpoint, target: Endpoint): Promise<Wiretap> => {
    const wiretap = await Wiretap.start({ wire, dialect, tripwire, listen, target });
    cleanups.push(() => wiretap[Symbol.asyncDispose]());
    return wiretap;
  };
  const [valkeyPort, natsPort] = [portOf(`tcp://${valkey.address}`), portOf(nats.url)];
  const valkeyTap = await tap(
    'valkey',
    valkeyDialect(join(DIST, 'store/lua')),
    { port: await freePort() },
    { port: valkeyPort },
  );
  const natsTap = await tap('nats', natsDialect, { port: await freePort() }, { port: natsPort });
  const engineTap = join(await folder('engine'), 'engine.sock');
  await tap('engine', httpDialect, { path: engineTap }, { path: options.engineSocket });
  const mariadbTap = join(await folder('mariadb'), 'mariadb.sock');
  if (options.mariadb !== undefined)
    await tap('mariadb', mariadbDialect, { path: mariadbTap }, { path: options.mariadb.socketPath });

  const templatesFile = join(dir, 'templates.yaml');
  await writeFile(templatesFile, stringify({ templates: options.templates }));
  const [proxyPort, serverPort, discoveryPort] = [await freePort(), await freePort(), await freePort()];
  const deployment = `test-${newHostLabel().slice(0, 8)}`;
  const { mariadb, ports } = options;
  const instances = await claimPorts(ports);
  cleanups.push(async () => instances[Symbol.asyncDispose]());
  const portRange = [instances.start, instances.end] as const;
  const socketVariable = options.engine === 'podman' ? 'PODMAN_SOCKET' : 'SIMULATED_SOCKET';
  const shared = {
    CONTAINER_MODE: options.engine,
    TEMPLATES_FILE: templatesFile,
    CADDY_ADMIN_URL: caddy.adminUrl,
    PROXY_LISTEN: `:${proxyPort}`,
    DEPLOYMENT: deployment,
    SERVER_PORT: String(serverPort),
    ADMIN_ADDR: `127.0.0.1:${await freePort()}`,
    DISCOVERY_ADDR: `127.0.0.1:${discoveryPort}`,
    DISCOVERY_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
    CONTAINER_PORT_RANGE_START: String(portRange[0]),
    CONTAINER_PORT_RANGE_END: String(portRange[1]),
    RATE_LIMIT_HOURLY: '0',
    RATE_LIMIT_DAILY: '0',
    CRIU_ENABLED: 'false',
    CHECKPOINT_DIR: join(dir, 'checkpoints'),
    ...options.env,
  };
  const direct = {
    ...shared,
    VALKEY_ADDR: valkey.address,
    NATS_URL: nats.url,
    [socketVariable]: options.engineSocket,
    ...databaseEnv(mariadb, mariadb?.socketPath ?? ''),
  };
  const tapped = {
    ...shared,
    VALKEY_ADDR: `127.0.0.1:${valkeyTap.port}`,
    NATS_URL: `nats://127.0.0.1:${natsTap.port}`,
    [socketVariable]: engineTap,
    ...databaseEnv(mariadb, mariadbTap),
  };

  const discovery = await ChildServer.start({
    name: 'discovery',
    command: process.execPath,
    args: [MAIN, 'discovery'],
    env: { ...direct, LOG_LEVEL: 'info' },
    saysUp: 'Discovery answers',
    startTimeoutMs: START_TIMEOUT_MS,
  });
  cleanups.push(() => discovery.stop());
  cleanups.push(async () => {
    const runtime = createRuntime(options.engine, loadConfig(direct).config, silent);
    await Promise.all((await runtime.list()).map(({ name }) => runtime.remove(name)));
    if (!(await runtime.unprepare())) throw new Error('containers of the test are still there');
    await runtime.close();
  });
  const auditTarget: AuditTarget = {
    valkeyPort,
    natsUrl: nats.url,
    caddyAdminUrl: caddy.adminUrl,
    proxyPort,
    deployment,
    portRange,
    engine: { kind: options.engine, socketPath: options.engineSocket },
    targets: Object.fromEntries(options.templates.map(({ name, pool }) => [name, pool.target])),
    ...(mariadb === undefined ? {} : { mariadb }),
  };
  return { tripwire, api: `http://127.0.0.1:${serverPort}`, proxyPort, auditTarget, env: tapped };
}

function databaseEnv(mariadb: ServerProcessOptions['mariadb'], socket: string): Record<string, string> {
  return mariadb === undefined
    ? {}
    : { DATABASE_SOCKET: socket, DATABASE_USER: mariadb.user, DATABASE_PASSWORD: mariadb.password };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

async function runBackwards(cleanups: (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw new AggregateError(errors, 'the server process left something behind');
}
