import { Redis as Valkey } from 'iovalkey';
import { hostFlags } from '../../src/runtime/podman/launch.ts';
import { PORTS } from './surroundings.ts';
import type { Fleet } from './fleet.ts';
import type { TestHost } from './test-hosts.ts';
import type { Held } from './visits.ts';

export interface Place {
  readonly host: TestHost;
  readonly port: number;
}

/** Where an instance is, as its record of names says. */
export async function whereIs({ hosts }: Fleet, { host }: Held): Promise<Place> {
  const [first] = hosts;
  const valkey = new Valkey(PORTS.valkey, first.machine.address);
  try {
    const entry = await valkey.hget('hostnames', host.split('.')[0] ?? '');
    if (entry === null) throw new Error(`${host} has no entry`);
    const { node, port } = JSON.parse(entry) as { readonly node: string; readonly port: number };
    const on = hosts.find(({ machine }) => machine.name === node);
    if (on === undefined) throw new Error(`${host} is on ${node}, which is no host of the fleet`);
    return { host: on.machine, port };
  } finally {
    valkey.disconnect();
  }
}

/** Whether a TCP connection comes about, from the machine itself. */
export async function connects(from: TestHost, address: string, port: number): Promise<boolean> {
  return succeeds(from, '/bin/busybox', ...connecting(address, port));
}

/** The same from inside the instance that is published on this port of the host. */
export async function connectsFromInside(
  { host: on, port: published }: Place,
  [address, port]: readonly [string, number],
): Promise<boolean> {
  const lines = (await on.run('podman', ...hostFlags(), 'ps', '--format', '{{.Names}} {{.Ports}}')).split('\n');
  const [name] = lines.find((line) => line.includes(`:${published}->`))?.split(' ') ?? [];
  if (name === undefined) throw new Error(`nothing is published on port ${published} of ${on.name}`);
  return succeeds(on, 'podman', ...hostFlags(), 'exec', name, '/bin/busybox', ...connecting(address, port));
}

/** Ends well once connected. */
function connecting(address: string, port: number): string[] {
  return ['timeout', '2', '/bin/busybox', 'nc', address, String(port), '-e', '/bin/busybox', 'true'];
}

async function succeeds(host: TestHost, command: string, ...args: readonly string[]): Promise<boolean> {
  return host.run(command, ...args).then(
    () => true,
    () => false,
  );
}
