import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { stringify } from 'yaml';
import { newHostLabel } from '../../src/domain/ids.ts';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { FleetHost } from './fleet-host.ts';
import { loadFleetImage, type FleetApp } from './fleet-image.ts';
import { catalogueOf, engineSocket } from './fleet-parts.ts';
import { BOUGHT_IN, PORTS, type Part } from './surroundings.ts';
import { startHosts, type TestHost } from './test-hosts.ts';
import type { Proxy } from './visits.ts';

/** Two hosts with a proxy and a server each, and one that only runs instances. The first has Valkey and NATS. */
const THREE_HOSTS: Layout = [
  ['valkey', 'nats', 'podman', 'caddy', 'discovery', 'server', 'worker'],
  ['podman', 'caddy', 'discovery', 'server', 'worker'],
  ['podman', 'discovery', 'worker'],
];
/**
 * Where any host may be lost: each has a copy of all state, and a proxy of its own with a server that configures it,
 * without which it makes no instances. A load balancer stands in front of the servers.
 */
export const REPLICATED: Layout = [
  ['valkey', 'sentinel', 'nats', 'podman', 'caddy', 'discovery', 'server', 'worker'],
  ['valkey', 'sentinel', 'nats', 'podman', 'caddy', 'discovery', 'server', 'worker'],
  ['valkey', 'sentinel', 'nats', 'podman', 'caddy', 'discovery', 'server', 'worker'],
  ['balancer'],
];

/** What runs on each host; one without a worker is no node. */
type Layout = readonly (readonly Part[])[];

export interface FleetContent {
  /** As in a catalogue file; each runs the fleet's image unless it names another. */
  readonly templates: readonly Readonly<Record<string, unknown>>[];
  readonly env?: Readonly<Record<string, string>>;
  readonly app?: FleetApp;
}

export interface Fleet extends AsyncDisposable {
  /** The nodes. */
  readonly hosts: readonly [FleetHost, ...FleetHost[]];
  /** Where their APIs are. */
  readonly servers: readonly [string, ...string[]];
  /** Where the load balancer is, if there is one. */
  readonly balancer: string | undefined;
  readonly proxies: readonly [Proxy, ...Proxy[]];
  readonly deployment: string;
  /** A machine on the network that is no host of the fleet. */
  readonly stranger: TestHost;
}

/**
 * Hosts of one deployment on a network of their own, all of it up; everything is gone when disposed of. What they run
 * may depend on the address at which they reach this machine.
 */
export async function startFleet(
  content: FleetContent | ((ownAddress: string) => Promise<FleetContent>),
  layout: Layout = THREE_HOSTS,
): Promise<Fleet> {
  const cleanups = new Cleanups('the fleet');
  try {
    const names = layout.map((parts, index) => (parts.includes('worker') ? `node${index}` : `beside${index}`));
    const network = await startHosts([...names, 'stranger']);
    cleanups.push(() => network[Symbol.asyncDispose]());
    const [stranger] = some(network.hosts.slice(-1));
    const isKnown = typeof content !== 'function';
    const { templates, env = {}, app = 'echo' } = isKnown ? content : await content(network.ownAddress);
    const deployment = `fleet-${newHostLabel().slice(0, 8)}`;
    const hostsWith = (part: Part): readonly TestHost[] =>
      network.hosts.filter((_, index) => layout[index]?.includes(part));
    const hosts = layout.map((parts, index) => {
      const [host] = some(network.hosts.slice(index));
      return new FleetHost(parts, { host, hostsWith, deployment, env });
    });
    await startAll(hosts, (part) => BOUGHT_IN.includes(part));
    await replicasFollow(hostsWith('valkey'));
    const workers = some(hostsWith('worker'));
    const image = await loadImages(workers, app);
    const catalogue = stringify({ templates: templates.map((each) => ({ image, port: 80, pull: 'never', ...each })) });
    await Promise.all(workers.map((host) => writeFile(catalogueOf(host), catalogue)));
    await startAll(hosts, (part) => !BOUGHT_IN.includes(part));
    return {
      hosts: some(hosts.filter(({ parts }) => parts.includes('worker'))),
      servers: some(hostsWith('server').map(({ address }) => `http://${address}:${PORTS.api}`)),
      balancer: hostsWith('balancer').map(({ address }) => `http://${address}:${PORTS.balancer}`)[0],
      proxies: some(hostsWith('caddy').map(({ address }) => ({ address, port: PORTS.proxy }))),
      deployment,
      stranger,
      [Symbol.asyncDispose]: () => cleanups[Symbol.asyncDispose](),
    };
  } catch (error) {
    await cleanups[Symbol.asyncDispose]();
    throw error;
  }
}

async function startAll(hosts: readonly FleetHost[], which: (part: Part) => boolean): Promise<void> {
  await Promise.all(hosts.map((host) => host.startParts(host.parts.filter(which))));
}

/** A primary takes no changes before that. */
async function replicasFollow([, ...replicas]: readonly TestHost[]): Promise<void> {
  for (const { name, address } of replicas)
    await eventually(async () => {
      const valkey = new Valkey(PORTS.valkey, address);
      try {
        if (!(await valkey.info('replication')).includes('master_link_status:up'))
          throw new Error(`the Valkey of ${name} follows nobody`);
      } finally {
        valkey.disconnect();
      }
    });
}

/** The same image on each; it goes with the hosts. */
async function loadImages([first, ...others]: readonly [TestHost, ...TestHost[]], app: FleetApp): Promise<string> {
  const { name } = await loadFleetImage(engineSocket(first), app);
  const archive = join(first.folder, 'state', 'image.tar');
  await first.run('podman', ...hostFlags(), 'save', '-o', archive, name);
  for (const host of others) await host.run('podman', ...hostFlags(), 'load', '-i', archive);
  return name;
}

function some<T>([first, ...others]: readonly T[]): readonly [T, ...T[]] {
  if (first === undefined) throw new Error('a fleet without a host, a server or a proxy');
  return [first, ...others];
}
