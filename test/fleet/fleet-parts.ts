import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildServerSpec } from '../../src/launcher/child-server.ts';
import { engineAnswers } from '../../src/launcher/engine-socket.ts';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import { balancer, nats, sentinel, valkey } from './bought-in-parts.ts';
import { MASTER, PORTS, type Part, type Surroundings } from './surroundings.ts';
import type { TestHost } from './test-hosts.ts';

/** The built program. */
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** In the host's own folder, since /run is the host's alone. */
export function engineSocket({ folder }: TestHost): string {
  return join(folder, 'state', 'podman.sock');
}

export function catalogueOf({ folder }: TestHost): string {
  return join(folder, 'state', 'templates.yaml');
}

/** How a part is started there. */
export async function partSpec(part: Part, around: Surroundings): Promise<ChildServerSpec> {
  switch (part) {
    case 'valkey':
      return valkey(around);
    case 'sentinel':
      return sentinel(around);
    case 'nats':
      return nats(around);
    case 'balancer':
      return balancer(around);
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
export function settings({ host, hostsWith, deployment, env }: Surroundings): Readonly<Record<string, string>> {
  const fronts = hostsWith('caddy');
  // Its own first, if it has one.
  const reached = [...fronts].sort((a, b) => Number(b === host) - Number(a === host));
  return {
    DEPLOYMENT: deployment,
    NODE_NAME: host.name,
    NODE_ADDRESS: host.address,
    PROXY_ADDRESSES: addresses(fronts).join(),
    PROXY_INTERNAL_URL: addresses(reached, PORTS.proxy)
      .map((each) => `http://${each}`)
      .join(),
    PROXY_LISTEN: `:${PORTS.proxy}`,
    SERVER_HOST: '0.0.0.0',
    SERVER_PORT: String(PORTS.api),
    TRUSTED_PROXIES: addresses(hostsWith('balancer')).join(),
    VALKEY_URL: valkeyUrl(hostsWith),
    NATS_URL: addresses(hostsWith('nats'), PORTS.nats)
      .map((each) => `nats://${each}`)
      .join(),
    QUEUE_REPLICAS: String(hostsWith('nats').length),
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

function valkeyUrl(hostsWith: Surroundings['hostsWith']): string {
  const sentinels = addresses(hostsWith('sentinel'), PORTS.sentinel);
  return sentinels.length === 0
    ? `valkey://${addresses(hostsWith('valkey'), PORTS.valkey).join()}`
    : `valkey+sentinel://${sentinels.join()}/${MASTER}`;
}

function addresses(hosts: readonly TestHost[], port?: number): string[] {
  return hosts.map(({ address }) => (port === undefined ? address : `${address}:${port}`));
}
