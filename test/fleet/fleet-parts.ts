import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildServerSpec } from '../../src/launcher/child-server.ts';
import { engineAnswers } from '../../src/launcher/engine-socket.ts';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import type { TestHost } from './test-hosts.ts';

/** The built program. */
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Every host has all of its ports to itself. */
export const PORTS = {
  api: 8080,
  proxy: 8000,
  nats: 4222,
  natsMonitor: 8222,
  valkey: 6379,
  instances: { start: 20_000, end: 20_099 },
} as const;

/** What may run on a host; all that a fleet has of one part are alike. */
export type Part = 'valkey' | 'nats' | 'podman' | 'caddy' | 'discovery' | 'worker' | 'server';

/** What the parts of one host have to know of the fleet. */
export interface Surroundings {
  readonly host: TestHost;
  /** Where Valkey and NATS are. */
  readonly store: TestHost;
  /** With proxies and servers. */
  readonly fronts: readonly TestHost[];
  readonly deployment: string;
  readonly env: Readonly<Record<string, string>>;
}

/** In the host's own folder, since /run is the host's alone. */
export function engineSocket({ folder }: TestHost): string {
  return join(folder, 'state', 'podman.sock');
}

export function catalogueOf({ folder }: TestHost): string {
  return join(folder, 'state', 'templates.yaml');
}

/** How a part is started there. */
export function partSpec(part: Part, around: Surroundings): ChildServerSpec {
  switch (part) {
    case 'valkey':
      return valkey(around);
    case 'nats':
      return nats(around);
    case 'podman':
      return podman(around);
    case 'caddy':
      return caddy(around);
    case 'discovery':
      return program(around, 'discovery', 'discovery', { saysUp: 'Discovery answers' });
    case 'worker':
      return program(around, 'worker', 'worker', { saysUp: 'Try It Now started' });
    case 'server':
      return program(around, 'server', 'serve', {
        saysUp: 'Try It Now started',
        isUp: async () => (await fetch(`http://${around.host.address}:${PORTS.api}/health`)).ok,
      });
  }
}

function valkey({ host }: Surroundings): ChildServerSpec {
  const args = ['--port', String(PORTS.valkey), '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', ''];
  return {
    name: 'Valkey',
    command: 'valkey-server',
    args: [...args, '--appendonly', 'yes', '--appendfsync', 'everysec', '--dir', join(host.folder, 'state')],
    cleanEnv: true,
    saysUp: 'Ready to accept connections',
  };
}

function nats({ host }: Surroundings): ChildServerSpec {
  const ports = ['-a', '0.0.0.0', '-p', String(PORTS.nats), '-m', String(PORTS.natsMonitor)];
  return {
    name: 'NATS',
    command: 'nats-server',
    args: [...ports, '-js', '-sd', join(host.folder, 'state', 'nats')],
    cleanEnv: true,
    saysUp: 'Server is ready',
    isUp: async () => (await fetch(`http://${host.address}:${PORTS.natsMonitor}/healthz`)).ok,
  };
}

function podman({ host }: Surroundings): ChildServerSpec {
  const socket = engineSocket(host);
  return {
    name: 'Podman',
    command: 'podman',
    args: [...hostFlags(), 'system', 'service', '--time=0', `unix://${socket}`],
    cwd: join(host.folder, 'state'),
    isUp: () => engineAnswers(socket),
  };
}

function caddy({ host }: Surroundings): ChildServerSpec {
  const folder = join(host.folder, 'state');
  return {
    name: 'Caddy',
    command: 'caddy',
    args: ['run'],
    cwd: folder,
    cleanEnv: true,
    env: { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder },
    saysUp: 'serving initial configuration',
  };
}

function program(
  around: Surroundings,
  name: string,
  command: string,
  up: Pick<ChildServerSpec, 'saysUp' | 'isUp'>,
): ChildServerSpec {
  return {
    name,
    command: process.execPath,
    args: [MAIN, command],
    cleanEnv: true,
    env: settings(around),
    linesKept: 400,
    ...up,
  };
}

/** One file for every part of a host, as in docs/fleet.md. */
export function settings({ host, store, fronts, deployment, env }: Surroundings): Readonly<Record<string, string>> {
  const [front = host] = fronts.includes(host) ? [host] : fronts;
  return {
    DEPLOYMENT: deployment,
    NODE_NAME: host.name,
    NODE_ADDRESS: host.address,
    PROXY_ADDRESSES: fronts.map(({ address }) => address).join(),
    PROXY_INTERNAL_URL: `http://${front.address}:${PORTS.proxy}`,
    PROXY_LISTEN: `:${PORTS.proxy}`,
    SERVER_HOST: '0.0.0.0',
    SERVER_PORT: String(PORTS.api),
    VALKEY_ADDR: `${store.address}:${PORTS.valkey}`,
    NATS_URL: `nats://${store.address}:${PORTS.nats}`,
    CONTAINER_MODE: 'podman',
    PODMAN_SOCKET: engineSocket(host),
    CONTAINER_PORT_RANGE_START: String(PORTS.instances.start),
    CONTAINER_PORT_RANGE_END: String(PORTS.instances.end),
    TEMPLATES_FILE: catalogueOf(host),
    CHECKPOINT_DIR: join(host.folder, 'state', 'checkpoints'),
    CRIU_ENABLED: 'false',
    DISCOVERY_SNAPSHOT_FILE: join(host.folder, 'state', 'names.json'),
    RATE_LIMIT_HOURLY: '0',
    RATE_LIMIT_DAILY: '0',
    GATE_MODE: 'off',
    HELD_LIMIT: '0',
    HELD_LIMIT_NETWORK: '0',
    ...env,
  };
}
