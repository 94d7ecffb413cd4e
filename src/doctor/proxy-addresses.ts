import { BlockList } from 'node:net';
import { NO_NODE } from '../domain/node.ts';
import type { FleetNode } from '../domain/node.ts';
import type { RunningProcess } from '../domain/running-process.ts';
import { failure, notChecked, ok, type Observation } from './check.ts';

const WHAT = 'proxy addresses';
const SEE = 'see that PROXY_ADDRESSES of every node has the addresses of those without an engine';

interface Fleet {
  readonly nodes: readonly FleetNode[];
  readonly processes: readonly RunningProcess[];
}

/** Where the doctor runs. */
export interface OwnPlace {
  readonly node: string;
  /** Of this host, as nodes say it in their heartbeats; undefined where it does not tell. */
  readonly boot: () => Promise<string | undefined>;
  /** The address with which this host reaches another one. Rejects where it has no way there. */
  readonly addressTowards: (address: string) => Promise<string>;
}

/**
 * Whether each server gets to the instances of each node. One that does not takes them for dead when it looks at them
 * before it hands them out, and ends them.
 */
export async function proxyAddresses(fleet: Fleet, own: OwnPlace): Promise<Observation[]> {
  const servers = new Map(
    // From where one without an engine comes is known to nobody but the network between.
    fleet.processes.flatMap((process) =>
      process.role === 'server' && process.node !== NO_NODE ? [[process.node, process] as const] : [],
    ),
  );
  const pairs = fleet.nodes.flatMap((node) => [...servers.values()].map((server) => ({ node, server })));
  const left = (await Promise.all(pairs.map(({ node, server }) => keptOut(node, server, fleet, own)))).flat();
  return left.length > 0 ? left : [ok(WHAT, whoReaches([...servers.keys()].sort(), fleet))];
}

function whoReaches(nodes: readonly string[], { processes }: Fleet): string {
  const others = processes.some(({ role, node }) => role === 'server' && node === NO_NODE);
  if (nodes.length === 0 && others) return `no server is on a node; ${SEE}`;
  return `every server (on ${nodes.join(', ') || 'no node'}) reaches every node`;
}

async function keptOut(
  { name, heartbeat }: FleetNode,
  server: RunningProcess,
  { nodes, processes }: Fleet,
  own: OwnPlace,
): Promise<Observation[]> {
  // What an older version says nothing of is not judged.
  if (server.node === name || heartbeat?.proxies === undefined) return [];
  const what = `${name} lets in ${server.node}`;
  if (isLoopback(heartbeat.address)) {
    const shareHost = processes.some(({ node, host }) => node === name && host === server.host);
    return shareHost
      ? []
      : [
          failure(
            what,
            `${name} publishes its instances on ${heartbeat.address}, and the server on ${server.node} is another host`,
            `Set NODE_ADDRESS of ${name} to its address on the private network and PROXY_ADDRESSES to those of the ` +
              'hosts with a server or a proxy, and restart what runs there.',
          ),
        ];
  }
  const said = nodes.find((node) => node.name === server.node)?.address;
  const isSaid = said !== undefined && !isLoopback(said);
  // The first host of a fleet publishes its own instances on loopback, and goes to others' from another address.
  const address = isSaid
    ? said
    : server.node === own.node
      ? await own.addressTowards(heartbeat.address).catch(() => undefined)
      : undefined;
  if (address === undefined)
    return [
      notChecked(
        what,
        server.node === own.node
          ? `this host has no way to ${heartbeat.address}`
          : `from where the server on ${server.node} comes is known on its host: run \`try-it-now doctor\` there`,
      ),
    ];
  return isIn(address, heartbeat.proxies)
    ? []
    : [
        failure(
          what,
          `PROXY_ADDRESSES of ${name} lacks ${address}: the server on ${server.node} takes its instances for dead`,
          `Add ${address} to PROXY_ADDRESSES of ${name}, and restart what runs there (\`systemctl restart ` +
            'try-it-now-worker`).',
        ),
      ];
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.');
}

function isIn(address: string, blocks: readonly string[]): boolean {
  const list = new BlockList();
  for (const block of blocks) {
    const [first = '', prefix = '32'] = block.split('/');
    list.addSubnet(first, Number(prefix), 'ipv4');
  }
  return list.check(address, 'ipv4');
}
