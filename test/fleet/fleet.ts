import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { newHostLabel } from '../../src/domain/ids.ts';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import { Cleanups } from '../support/deployment.ts';
import { FleetHost } from './fleet-host.ts';
import { loadFleetImage } from './fleet-image.ts';
import { PORTS, catalogueOf, engineSocket, type Part } from './fleet-parts.ts';
import { startHosts, type TestHost } from './test-hosts.ts';
import type { Proxy } from './visits.ts';

/** Two hosts with a proxy and a server each, and one that only runs instances. The first has Valkey and NATS. */
const THREE_HOSTS: readonly (readonly Part[])[] = [
  ['valkey', 'nats', 'podman', 'caddy', 'discovery', 'server', 'worker'],
  ['podman', 'caddy', 'discovery', 'server', 'worker'],
  ['podman', 'discovery', 'worker'],
];
/** What is none of ours. */
const BOUGHT_IN: readonly Part[] = ['valkey', 'nats', 'podman', 'caddy'];

export interface FleetOptions {
  /** As in a catalogue file; each runs the fleet's image. */
  readonly templates: readonly Readonly<Record<string, unknown>>[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Fleet extends AsyncDisposable {
  readonly hosts: readonly [FleetHost, ...FleetHost[]];
  /** Where their APIs are. */
  readonly servers: readonly [string, ...string[]];
  readonly proxies: readonly [Proxy, ...Proxy[]];
  readonly deployment: string;
  /** A machine on the network that is no host of the fleet. */
  readonly stranger: TestHost;
}

/** Hosts of one deployment on a network of their own, all of it up; everything is gone when disposed of. */
export async function startFleet({ templates, env = {} }: FleetOptions): Promise<Fleet> {
  const cleanups = new Cleanups('the fleet');
  try {
    const network = await startHosts([...THREE_HOSTS.map((_, index) => `node${index}`), 'stranger']);
    cleanups.push(() => network[Symbol.asyncDispose]());
    const machines = some(network.hosts.slice(0, -1));
    const [stranger] = some(network.hosts.slice(-1));
    const deployment = `fleet-${newHostLabel().slice(0, 8)}`;
    const fronts = machines.filter((_, index) => THREE_HOSTS[index]?.includes('caddy'));
    const hosts = machines.map(
      (host, index) => new FleetHost(THREE_HOSTS[index] ?? [], { host, store: machines[0], fronts, deployment, env }),
    );
    await startAll(hosts, (part) => BOUGHT_IN.includes(part));
    const image = await loadImages(machines);
    const catalogue = stringify({ templates: templates.map((each) => ({ image, port: 80, pull: 'never', ...each })) });
    await Promise.all(machines.map((host) => writeFile(catalogueOf(host), catalogue)));
    await startAll(hosts, (part) => !BOUGHT_IN.includes(part));
    return {
      hosts: some(hosts),
      servers: some(fronts.map(({ address }) => `http://${address}:${PORTS.api}`)),
      proxies: some(fronts.map(({ address }) => ({ address, port: PORTS.proxy }))),
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

/** The same image on each; it goes with the hosts. */
async function loadImages([first, ...others]: readonly [TestHost, ...TestHost[]]): Promise<string> {
  const { name } = await loadFleetImage(engineSocket(first));
  const archive = join(first.folder, 'state', 'image.tar');
  await first.run('podman', ...hostFlags(), 'save', '-o', archive, name);
  for (const host of others) await host.run('podman', ...hostFlags(), 'load', '-i', archive);
  return name;
}

function some<T>([first, ...others]: readonly T[]): readonly [T, ...T[]] {
  if (first === undefined) throw new Error('a fleet without a host, a server or a proxy');
  return [first, ...others];
}
