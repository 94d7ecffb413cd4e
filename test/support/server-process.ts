import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import type { RealEngine } from './container-engine.ts';
import type { AuditTarget } from './state-audit.ts';
import { engineCalled } from '../../src/runtime/engines.ts';
import {
  Cleanups,
  addressesOf,
  drawPorts,
  launchBacking,
  ownFolder,
  ownSettings,
  removeContainers,
  type Backing,
} from './deployment.ts';
import { eventually } from './eventually.ts';
import { claimPorts } from './port-ranges.ts';
import { httpDialect, mariadbDialect, natsDialect, valkeyDialect, type Dialect } from './wire-dialects.ts';
import { Tripwire, Wiretap, type Endpoint } from './wiretap.ts';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const MAIN = join(DIST, 'main.js');
const START_TIMEOUT_MS = 60_000;

export interface ServerProcessOptions {
  readonly engine: RealEngine | 'simulated';
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
  readonly #cleanups: Cleanups;
  #server: ChildServer | undefined;

  private constructor(parts: Parts, cleanups: Cleanups) {
    this.tripwire = parts.tripwire;
    this.api = parts.api;
    this.proxyPort = parts.proxyPort;
    this.auditTarget = parts.auditTarget;
    this.#env = parts.env;
    this.#cleanups = cleanups;
  }

  /** Everything up, and the server answering; its pools may still be empty. */
  static async launch(options: ServerProcessOptions): Promise<ServerProcess> {
    const cleanups = new Cleanups('the server process');
    try {
      const launched = new ServerProcess(await launchParts(options, cleanups), cleanups);
      cleanups.push(() => launched.stop());
      await launched.start();
      return launched;
    } catch (error) {
      await cleanups[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    const pid = this.#server?.pid;
    if (pid === undefined) throw new Error('the server is not running');
    return pid;
  }

  /** What it was started with. */
  get env(): Readonly<Record<string, string>> {
    return this.#env;
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
      linesKept: 100_000,
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
    await this.#cleanups[Symbol.asyncDispose]();
  }
}

interface Parts {
  readonly tripwire: Tripwire;
  readonly api: string;
  readonly proxyPort: number;
  readonly auditTarget: AuditTarget;
  readonly env: Readonly<Record<string, string>>;
}

async function launchParts(options: ServerProcessOptions, cleanups: Cleanups): Promise<Parts> {
  const dir = await ownFolder(cleanups, 'tin-server-');
  // MariaDB's folder is mounted into instances, whose processes are no root.
  await chmod(dir, 0o711);
  const backing = await launchBacking(dir, cleanups);
  const tripwire = new Tripwire();
  const tapped = await tapEach(dir, backing, options, tripwire, cleanups);

  const templatesFile = join(dir, 'templates.yaml');
  await writeFile(templatesFile, stringify({ templates: options.templates }));
  const instances = await claimPorts(options.ports);
  cleanups.push(() => instances[Symbol.asyncDispose]());
  const ports = await drawPorts();
  const own = ownSettings(ports, instances);
  const shared = {
    CONTAINER_MODE: options.engine,
    TEMPLATES_FILE: templatesFile,
    ...own,
    CRIU_ENABLED: 'false',
    CHECKPOINT_DIR: join(dir, 'checkpoints'),
    ...options.env,
  };
  const { mariadb } = options;
  const direct = {
    ...shared,
    ...addressesOf(backing),
    [engineCalled(options.engine).socket.variable]: options.engineSocket,
    ...databaseEnv(mariadb, mariadb?.socketPath ?? ''),
  };
  const discovery = await ChildServer.start({
    name: 'discovery',
    command: process.execPath,
    args: [MAIN, 'discovery'],
    env: { ...direct, LOG_LEVEL: 'info' },
    saysUp: 'Discovery answers',
  });
  cleanups.push(() => discovery.stop());
  cleanups.push(() => removeContainers(options.engine, loadConfig(direct).config));
  const auditTarget: AuditTarget = {
    valkeyPort: portOf(`tcp://${backing.valkey.address}`),
    natsUrl: backing.nats.url,
    caddyAdminUrl: backing.caddy.adminUrl,
    proxyPort: ports.proxy,
    deployment: own.DEPLOYMENT,
    portRange: [instances.start, instances.end],
    engine: { kind: options.engine, socketPath: options.engineSocket },
    targets: Object.fromEntries(options.templates.map(({ name, pool }) => [name, pool.target])),
    ...(mariadb === undefined ? {} : { mariadb }),
  };
  return {
    tripwire,
    api: `http://127.0.0.1:${ports.server}`,
    proxyPort: ports.proxy,
    auditTarget,
    env: { ...shared, ...tapped },
  };
}

/** Where the server finds the parts: each but Caddy behind a tap. */
async function tapEach(
  dir: string,
  { valkey, nats, caddy }: Backing,
  { engine, engineSocket, mariadb }: ServerProcessOptions,
  tripwire: Tripwire,
  cleanups: Cleanups,
): Promise<Record<string, string>> {
  const tap = async (wire: string, dialect: Dialect, listen: Endpoint, target: Endpoint): Promise<Wiretap> => {
    const wiretap = await Wiretap.start({ wire, dialect, tripwire, listen, target });
    cleanups.push(() => wiretap[Symbol.asyncDispose]());
    return wiretap;
  };
  const folder = async (name: string): Promise<string> => {
    await mkdir(join(dir, name));
    return join(dir, name);
  };
  const tapTcp = async (wire: string, dialect: Dialect, port: number): Promise<string> =>
    `127.0.0.1:${(await tap(wire, dialect, { port: await freePort() }, { port })).port}`;
  const valkeyAddress = await tapTcp(
    'valkey',
    valkeyDialect(join(DIST, 'store/lua')),
    portOf(`tcp://${valkey.address}`),
  );
  const natsAddress = await tapTcp('nats', natsDialect, portOf(nats.url));
  const engineTap = join(await folder('engine'), 'engine.sock');
  await tap('engine', httpDialect, { path: engineTap }, { path: engineSocket });
  const mariadbTap = join(await folder('mariadb'), 'mariadb.sock');
  if (mariadb !== undefined) await tap('mariadb', mariadbDialect, { path: mariadbTap }, { path: mariadb.socketPath });
  return {
    VALKEY_ADDR: valkeyAddress,
    NATS_URL: `nats://${natsAddress}`,
    CADDY_ADMIN_URL: caddy.adminUrl,
    [engineCalled(engine).socket.variable]: engineTap,
    ...databaseEnv(mariadb, mariadbTap),
  };
}

function databaseEnv(mariadb: ServerProcessOptions['mariadb'], socket: string): Record<string, string> {
  return mariadb === undefined
    ? {}
    : { DATABASE_SOCKET: socket, DATABASE_USER: mariadb.user, DATABASE_PASSWORD: mariadb.password };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
