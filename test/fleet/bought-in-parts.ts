import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildServerSpec } from '../../src/launcher/child-server.ts';
import { shippedBalancer } from '../support/shipped-balancer.ts';
import { MASTER, PORTS, type Surroundings } from './surroundings.ts';

/** Alone, or as docs/deployment.md has it with replicas. */
export async function valkey({ host, hostsWith }: Surroundings): Promise<ChildServerSpec> {
  const [first = host, ...others] = hostsWith('valkey');
  const dir = join(host.folder, 'state', 'valkey');
  const config = await once(dir, 'valkey.conf', [
    `port ${PORTS.valkey}`,
    'bind 0.0.0.0',
    'protected-mode no',
    'save ""',
    'appendonly yes',
    'appendfsync everysec',
    `dir ${dir}`,
    ...(others.length === 0 ? [] : ['min-replicas-to-write 1', 'min-replicas-max-lag 10']),
    ...(host === first ? [] : [`replicaof ${first.address} ${PORTS.valkey}`]),
  ]);
  return {
    name: 'Valkey',
    command: 'valkey-server',
    args: [config],
    cleanEnv: true,
    saysUp: 'Ready to accept connections',
  };
}

export async function sentinel({ host, hostsWith }: Surroundings): Promise<ChildServerSpec> {
  const [first = host] = hostsWith('valkey');
  const dir = join(host.folder, 'state', 'sentinel');
  const config = await once(dir, 'sentinel.conf', [
    `port ${PORTS.sentinel}`,
    'bind 0.0.0.0',
    'protected-mode no',
    `dir ${dir}`,
    `sentinel monitor ${MASTER} ${first.address} ${PORTS.valkey} 2`,
    `sentinel down-after-milliseconds ${MASTER} 5000`,
    `sentinel failover-timeout ${MASTER} 10000`,
  ]);
  return {
    name: 'Sentinel',
    command: 'valkey-server',
    args: [config, '--sentinel'],
    cleanEnv: true,
    saysUp: '+monitor',
  };
}

/** Alone, or as docs/fleet.md has it as a cluster. */
export async function nats({ host, hostsWith }: Surroundings): Promise<ChildServerSpec> {
  const all = hostsWith('nats');
  const dir = join(host.folder, 'state', 'nats');
  const cluster = {
    name: 'try-it-now',
    listen: `${host.address}:${PORTS.natsCluster}`,
    routes: all.map(({ address }) => `nats-route://${address}:${PORTS.natsCluster}`),
  };
  const config = await once(dir, 'nats.conf', [
    JSON.stringify({
      server_name: `nats-${host.name}`,
      listen: `${host.address}:${PORTS.nats}`,
      http: `${host.address}:${PORTS.natsMonitor}`,
      jetstream: { store_dir: dir },
      ...(all.length === 1 ? {} : { ping_interval: '5s', cluster }),
    }),
  ]);
  return {
    name: 'NATS',
    command: 'nats-server',
    args: ['-c', config],
    cleanEnv: true,
    saysUp: 'Server is ready',
    isUp: async () => (await fetch(`http://${host.address}:${PORTS.natsMonitor}/healthz`)).ok,
  };
}

/** Caddy as shipped for several servers. */
export async function balancer({ host, hostsWith }: Surroundings): Promise<ChildServerSpec> {
  const folder = join(host.folder, 'state');
  const servers = hostsWith('server').map(({ address }) => `${address}:${PORTS.api}`);
  const config = await once(folder, 'Caddyfile.balanced', [await shippedBalancer(PORTS.balancer, servers)]);
  return {
    name: 'the load balancer',
    command: 'caddy',
    args: ['run', '--config', config, '--adapter', 'caddyfile'],
    cwd: folder,
    cleanEnv: true,
    env: { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder },
    saysUp: 'serving initial configuration',
  };
}

/** Written at the first start alone: Valkey and Sentinel keep in theirs what they learn. */
async function once(folder: string, name: string, lines: readonly string[]): Promise<string> {
  const file = join(folder, name);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    await writeFile(file, `${lines.join('\n')}\n`);
  }
  return file;
}
