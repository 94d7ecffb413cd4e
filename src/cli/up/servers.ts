import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/environment.ts';
import { DATABASE_SERVERS, type DatabaseEngine } from '../../domain/database.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { Releasers } from '../../lifecycle/releasers.ts';
import { launchCaddy } from '../../launcher/caddy.ts';
import { ChildServer, findProgram } from '../../launcher/child-server.ts';
import { launchMariadb, type LaunchedMariadb } from '../../launcher/mariadb.ts';
import { launchNats } from '../../launcher/nats.ts';
import { launchPostgres } from '../../launcher/postgresql.ts';
import { freePort, isFree, isFreeForUdp, preferPort, reservePort } from '../../launcher/tcp-ports.ts';
import { supervise, type SupervisorEvents } from '../../launcher/supervise.ts';
import { accountOrNobody, keptPassword } from '../../launcher/server-account.ts';
import { launchValkey } from '../../launcher/valkey.ts';
import { CONTAINER_ENGINES } from '../../runtime/engines.ts';
import { mayRunContainers } from './may-run-containers.ts';

export interface ServersOptions {
  readonly config: Config;
  /** What the user configured; only the rest is launched. */
  readonly explicit: ReadonlySet<string>;
  /** Templates want databases of these, and no server for them was configured. */
  readonly launchedDatabases: readonly DatabaseEngine[];
  /** Everything the servers write goes below it. */
  readonly dir: string;
  readonly releasers: Releasers;
  readonly events: SupervisorEvents;
  readonly onStarted: (name: string, where: string) => void;
}

/** For people: what has containers by an engine that `up` starts itself. */
export const AS_ROOT = 'sudo make up';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));

/** Nothing of ours can work around these: people chose them. All are named at once. Throws port_taken. */
export async function requirePlace(config: Config, conflicts: readonly string[]): Promise<void> {
  const { server, proxy, admin } = config;
  const proxyPort = Number(proxy.listen.split(':').at(-1));
  const wanted = [
    [server.port, server.host, 'the start page', 'SERVER_PORT'],
    [proxyPort, '127.0.0.1', 'the proxy', 'PROXY_LISTEN'],
    [admin.port, admin.host, 'the admin API', 'ADMIN_ADDR'],
  ] as const;
  const taken: string[] = [...conflicts];
  for (const [port, host, what, variable] of wanted) {
    if (port !== 0 && !(await isFree(port, host)))
      taken.push(
        `Port ${port}, wanted for ${what}, is already in use; end the other program (perhaps an earlier \`make ` +
          `up\`), or set ${variable}.`,
      );
  }
  if (taken.length > 0) throw new TryItNowError('port_taken', taken.join('\n'));
}

/** Starts what is not configured by URL, keeps it running, and returns the environment that points at it. */
export async function startServers(options: ServersOptions): Promise<Environment> {
  const { config, explicit, launchedDatabases, dir, releasers, events, onStarted } = options;
  const made: Record<string, string | undefined> = {};
  const folder = async (name: string): Promise<string> => {
    const path = join(dir, name);
    await mkdir(path, { recursive: true });
    return path;
  };
  const keep: Keep = async (name, where, launch) => {
    const supervised = await supervise(name, launch, events);
    releasers.push(name, () => supervised.stop());
    onStarted(name, where);
    return supervised.first;
  };

  if (!explicit.has('VALKEY_ADDR') && !explicit.has('VALKEY_URL'))
    Object.assign(made, await startValkey(await folder('valkey'), keep));
  if (!explicit.has('NATS_URL')) Object.assign(made, await startNats(await folder('nats'), keep));
  if (!explicit.has('CADDY_ADMIN_URL')) Object.assign(made, await startCaddy(await folder('caddy'), config, keep));
  for (const engine of launchedDatabases) Object.assign(made, await startDatabase(engine, await folder(engine), keep));
  return { ...made, ...(await startEngine(options, keep)) };
}

/** Launches a server, keeps it running until the releasers are told otherwise, and says that it is there. */
type Keep = <T extends { readonly server: ChildServer }>(
  name: string,
  where: string,
  launch: () => Promise<T>,
) => Promise<T>;

/** With a password drawn for this run, for whoever may read its file; one that is set is for another server. */
async function startValkey(dir: string, keep: Keep): Promise<Environment> {
  const port = await preferPort(6379);
  const account = await accountOrNobody('Valkey', 'valkey');
  const passwordFile = join(dir, 'password');
  const password = await keptPassword(passwordFile);
  await keep('Valkey', `127.0.0.1:${port}`, () =>
    launchValkey({ dir, port, persistent: true, guard: { account, password } }),
  );
  return {
    VALKEY_ADDR: `127.0.0.1:${port}`,
    VALKEY_USER: undefined,
    VALKEY_PASSWORD: undefined,
    VALKEY_PASSWORD_FILE: passwordFile,
  };
}

async function startNats(dir: string, keep: Keep): Promise<Environment> {
  const port = await preferPort(4222);
  const monitorPort = await preferPort(8222);
  const account = await accountOrNobody('NATS', 'nats');
  const user = 'try-it-now';
  const passwordFile = join(dir, 'password');
  const password = await keptPassword(passwordFile);
  await keep('NATS', `127.0.0.1:${port}`, () =>
    launchNats({ dir, port, monitorPort, guard: { account, user, password } }),
  );
  return {
    NATS_URL: `nats://127.0.0.1:${port}`,
    NATS_USER: user,
    NATS_PASSWORD: undefined,
    NATS_PASSWORD_FILE: passwordFile,
    NATS_TOKEN: undefined,
    NATS_TOKEN_FILE: undefined,
    NATS_NKEY_SEED: undefined,
    NATS_NKEY_SEED_FILE: undefined,
    NATS_CREDS_FILE: undefined,
    NATS_CA_FILE: undefined,
    NATS_CERT_FILE: undefined,
    NATS_KEY_FILE: undefined,
  };
}

async function startCaddy(dir: string, { proxy }: Config, keep: Keep): Promise<Environment> {
  const account = await accountOrNobody('Caddy', 'caddy');
  const lowPorts = Number(proxy.listen.split(':').at(-1)) < 1_024;
  const { adminUrl } = await keep('Caddy', `its socket below ${dir}`, () =>
    launchCaddy({ dir, guard: { account, lowPorts } }),
  );
  return { CADDY_ADMIN_URL: adminUrl };
}

const LAUNCH_DATABASE = { mariadb: launchMariadb, postgresql: launchPostgres } as const;

async function startDatabase(engine: DatabaseEngine, dir: string, keep: Keep): Promise<Environment> {
  const { title, socket, user, password } = DATABASE_SERVERS[engine];
  const login: Pick<LaunchedMariadb, 'server' | 'socketPath' | 'user' | 'passwordFile'> = await keep(title, dir, () =>
    LAUNCH_DATABASE[engine]({ dir }),
  );
  return { [socket]: login.socketPath, [user]: login.user, [`${password}_FILE`]: login.passwordFile };
}

/** The first container engine that is wanted, installed and not running elsewhere; none of them is no failure. */
async function startEngine({ config, explicit, dir }: ServersOptions, keep: Keep): Promise<Environment> {
  for (const { name, title, socket, launch } of await launchable(config, explicit)) {
    if (launch.needsRoot && !mayRunContainers()) continue;
    const socketPath = join(dir, `${name}.sock`);
    await keep(title, socketPath, () => launch.start({ socketPath }));
    return { [socket.variable]: socketPath };
  }
  return {};
}

/** Throws engine_unavailable where an engine was chosen that this user may not start. Nothing is started. */
export async function requireRights(config: Config, explicit: ReadonlySet<string>): Promise<void> {
  if (config.containers.mode === 'auto' || mayRunContainers()) return;
  for (const { title, launch } of await launchable(config, explicit))
    if (launch.needsRoot)
      throw new TryItNowError(
        'engine_unavailable',
        `CONTAINER_MODE is ${config.containers.mode}, and only root may start ${title} for instances: run ` +
          `\`${AS_ROOT}\``,
      );
}

async function launchable({ containers: { mode } }: Config, explicit: ReadonlySet<string>) {
  const loaded = await Promise.all(
    CONTAINER_ENGINES.map(async (engine) => ({ ...engine, launch: (await engine.load()).behaviour.launch })),
  );
  return loaded.flatMap(({ launch, name, title, socket }) => {
    const isWanted = !explicit.has(socket.variable) && (mode === 'auto' || mode === name);
    if (!isWanted || launch === undefined || (mode === 'auto' && findProgram(launch.program) === undefined)) return [];
    return [{ launch, name, title, socket }];
  });
}

/** The DNS responder as a process of its own, as it runs in production: it outlives the server. */
export async function startDiscoveryProcess(env: Environment, options: ServersOptions): Promise<Environment> {
  const { config, explicit, dir, releasers, events, onStarted } = options;
  const wanted = config.proxy.discovery;
  const usable = async (): Promise<boolean> =>
    (await reservePort(wanted.port)) !== undefined && (await isFreeForUdp(wanted.port, wanted.host));
  const port = explicit.has('DISCOVERY_ADDR') || (await usable()) ? wanted.port : await freePort();
  const address = `${wanted.host}:${port}`;
  const metrics = explicit.has('DISCOVERY_METRICS_ADDR')
    ? {}
    : { DISCOVERY_METRICS_ADDR: `127.0.0.1:${await preferPort(config.proxy.discovery.metrics.port)}` };
  const child = {
    ...env,
    ...metrics,
    DISCOVERY_ADDR: address,
    DISCOVERY_SNAPSHOT_FILE: join(dir, 'hostnames.json'),
    LOG_LEVEL: 'info',
  };
  const supervised = await supervise(
    'discovery',
    async () => {
      const server = await ChildServer.start({
        name: 'discovery',
        command: process.execPath,
        args: [MAIN, 'discovery'],
        env: definedOnly(child),
        saysUp: 'Discovery answers',
      });
      return { server };
    },
    events,
  );
  releasers.push('discovery', () => supervised.stop());
  onStarted('discovery', address);
  return { ...metrics, DISCOVERY_ADDR: address };
}

function definedOnly(env: Environment): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
