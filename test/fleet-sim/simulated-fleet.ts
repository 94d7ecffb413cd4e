import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis as Valkey } from 'iovalkey';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { openReconcileContext, type ReconcileContext } from '../../src/composition/reconcile-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { prioritize } from '../../src/lifecycle/priority.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { Cleanups, drawPorts, ownFolder, ownSettings, type OwnPorts } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { NatsCluster } from '../support/nats-cluster.ts';
import { OPERATOR_KEY, askAdmin } from '../support/operator.ts';
import { silent } from '../support/store.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** A pool may have 10,000 at most. Each has a part of the instances, and visitors ask for the first. */
export const TEMPLATES = ['simulated-1', 'simulated-2', 'simulated-3', 'simulated-4'] as const;
/** The server's own node, which gets no instances: it is measured apart from what nodes cost. */
const SERVERS_NODE = 'node0';
/** Each of their containers is a socket that listens, and a process may have 20,000 open files. */
const NODES_AN_ENGINE = 12;
/** Started at a time: each start is a second of a processor. */
const STARTS_AT_ONCE = 3;
/** Behind everything that a real fleet has on other hosts. */
const WORKERS_PRIORITY = 5;
const SETTLED = { timeoutMs: 600_000, everyMs: 100 };

/** Of a pool, beyond its target: for those handed out, and those on their way out. */
const SPARE = 400;
/** Of a node's ports, beyond the instances it may hold: those that rest before they are used again. */
const RESTING_PORTS = 1_500;

/** What a process is there for. */
export type Part = 'server' | 'worker' | 'engine' | 'discovery' | 'Valkey' | 'NATS' | 'Caddy';

interface SimulatedFleetOptions {
  /** Of 127.0.0.0/8: the second byte of its nodes' addresses. */
  readonly network: number;
  /** The most that its pool may have ready. */
  readonly instances: number;
  /** That a node may hold, and has ports for. */
  readonly room: { readonly first: number; readonly further: number };
  /** The first of the ports; each node has the same, on an address of its own. */
  readonly firstPort: number;
}

/**
 * A whole deployment in processes of their own: Valkey, a NATS cluster of three, Caddy, discovery, a server, and a
 * worker for each node, whose containers are the simulated engine's. Nothing in it knows that it is one host.
 */
export class SimulatedFleet implements AsyncDisposable {
  readonly api: string;
  readonly valkey: Valkey;
  readonly ports: { readonly valkey: number; readonly nats: readonly number[] };
  readonly #adminPort: number;
  readonly #workerMetricsPort: number;
  readonly #dir: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #options: SimulatedFleetOptions;
  readonly #processes: { readonly part: Part; readonly pid: number }[];
  readonly #cleanups: Cleanups;
  readonly #workers: ChildServer[] = [];
  #nodes = 0;
  #engineSocket = '';

  private constructor(parts: Parts, options: SimulatedFleetOptions, cleanups: Cleanups) {
    this.api = `http://127.0.0.1:${parts.own.server}`;
    this.valkey = parts.client;
    this.ports = { valkey: parts.valkeyPort, nats: parts.nats.nodes.map(({ port }) => port) };
    this.#adminPort = parts.own.admin;
    this.#workerMetricsPort = parts.own.workerMetrics;
    this.#dir = parts.dir;
    this.#env = parts.env;
    this.#processes = parts.processes;
    this.#options = options;
    this.#cleanups = cleanups;
    cleanups.push(() => Promise.all(this.#workers.map((worker) => worker.stop())));
  }

  /** With a server and no node. */
  static async start(options: SimulatedFleetOptions): Promise<SimulatedFleet> {
    const cleanups = new Cleanups('the simulated fleet');
    try {
      const fleet = new SimulatedFleet(await startParts(options, cleanups), options, cleanups);
      await fleet.#admin('POST', `/nodes/${SERVERS_NODE}/cordon`, {});
      return fleet;
    } catch (error) {
      await cleanups[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nodes(): number {
    return this.#nodes;
  }

  pids(part: Part): readonly number[] {
    return this.#processes.flatMap((each) => (each.part === part ? [each.pid] : []));
  }

  /** Adds workers until there are so many nodes, and all are heard of. */
  async grow(nodes: number): Promise<void> {
    const missing = Array.from({ length: nodes - this.#nodes }, (_, at) => this.#nodes + at);
    for (let from = 0; from < missing.length; from += STARTS_AT_ONCE) {
      const batch = missing.slice(from, from + STARTS_AT_ONCE);
      for (const at of batch) if (at % NODES_AN_ENGINE === 0) await this.#startEngine(at / NODES_AN_ENGINE);
      await Promise.all(batch.map((at) => this.#startWorker(at)));
      this.#nodes += batch.length;
    }
    await eventually(async () => {
      const { json } = await this.#admin('GET', '/nodes');
      const alive = (json?.['nodes'] as { alive: boolean }[] | undefined)?.filter((node) => node.alive).length;
      expect(alive).toBe(nodes + 1);
    }, SETTLED);
  }

  async #startEngine(number: number): Promise<void> {
    this.#engineSocket = join(this.#dir, `engine-${number}.sock`);
    const { server } = await launchSimulatedEngine({ socketPath: this.#engineSocket });
    this.#cleanups.push(() => server.stop());
    await this.#note('engine', server);
  }

  async #startWorker(at: number): Promise<void> {
    const { network, firstPort, room } = this.#options;
    const capacity = at === 0 ? room.first : room.further;
    const address = `127.${network}.${Math.floor(at / 250)}.${(at % 250) + 1}`;
    const worker = await ChildServer.start({
      name: `worker ${at + 1}`,
      command: process.execPath,
      args: [MAIN, 'worker'],
      env: {
        ...this.#env,
        SIMULATED_SOCKET: this.#engineSocket,
        NODE_NAME: `node${at + 1}`,
        NODE_CAPACITY: String(capacity),
        NODE_ADDRESS: address,
        WORKER_METRICS_ADDR: `${address}:${this.#workerMetricsPort}`,
        CONTAINER_PORT_RANGE_START: String(firstPort),
        CONTAINER_PORT_RANGE_END: String(lastPort(firstPort, capacity)),
      },
      saysUp: 'Try It Now started',
    });
    this.#workers.push(worker);
    await this.#note('worker', worker);
  }

  async #note(part: Part, { pid }: { readonly pid: number | undefined }): Promise<void> {
    if (pid === undefined) throw new Error(`the ${part} has ended`);
    this.#processes.push({ part, pid });
    if (part === 'worker') await prioritize(pid, WORKERS_PRIORITY);
  }

  /** As an operator does; resolves when so many are ready and nothing is under way. */
  async fill(target: number): Promise<void> {
    for (const template of TEMPLATES)
      await this.#admin('PUT', `/pools/${template}/target`, { target: target / TEMPLATES.length });
    await this.settled(target);
  }

  async settled(target: number): Promise<void> {
    await eventually(async () => {
      expect(await this.counts()).toEqual({ ready: target, warming: 0, leaving: 0 });
    }, SETTLED);
  }

  async counts(): Promise<{ readonly ready: number; readonly warming: number; readonly leaving: number }> {
    const count = async (index: string): Promise<number> => {
      const counts = await Promise.all(TEMPLATES.map((template) => this.valkey.zcard(`${index}:${template}`)));
      return counts.reduce((sum, one) => sum + one, 0);
    };
    return { ready: await count('ready'), warming: await count('warming'), leaving: await count('leaving') };
  }

  /** What `try-it-now reconcile` works with, on the server's host or on the first node. */
  async reconcileContext(of: 'server' | 'node'): Promise<ReconcileContext> {
    const node = of === 'server' ? {} : { NODE_NAME: 'node1', NODE_ADDRESS: `127.${this.#options.network}.0.1` };
    const { firstPort, room } = this.#options;
    const ports = {
      CONTAINER_PORT_RANGE_START: String(firstPort),
      CONTAINER_PORT_RANGE_END: String(lastPort(firstPort, room.first)),
    };
    const socket = { SIMULATED_SOCKET: join(this.#dir, 'engine-0.sock') };
    const env = { ...this.#env, ...socket, ...(of === 'server' ? {} : { ...node, ...ports }) };
    return openReconcileContext(loadConfig(env).config, 'fleet-sim', silent);
  }

  async #admin(method: string, path: string, body?: unknown) {
    const answer = await askAdmin(this.#adminPort, method, `/admin/v1${path}`, body === undefined ? {} : { body });
    if (answer.status >= 300) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanups[Symbol.asyncDispose]();
  }
}

interface Parts {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly own: OwnPorts;
  readonly nats: NatsCluster;
  readonly valkeyPort: number;
  readonly client: Valkey;
  readonly processes: { readonly part: Part; readonly pid: number }[];
}

async function startParts(options: SimulatedFleetOptions, cleanups: Cleanups): Promise<Parts> {
  const dir = await ownFolder(cleanups, 'tin-fleet-sim-');
  const processes: { part: Part; pid: number }[] = [];
  const note = (part: Part, pid: number | undefined): void => {
    if (pid !== undefined) processes.push({ part, pid });
  };
  for (const name of ['valkey', 'caddy']) await mkdir(join(dir, name), { mode: 0o700 });
  const valkey = await launchValkey({ dir: join(dir, 'valkey') });
  cleanups.push(() => valkey.server.stop());
  note('Valkey', valkey.server.pid);
  const caddy = await launchCaddy({ dir: join(dir, 'caddy') });
  cleanups.push(() => caddy.server.stop());
  note('Caddy', caddy.server.pid);
  const nats = await NatsCluster.start();
  cleanups.push(() => nats[Symbol.asyncDispose]());
  for (const { pid } of nats.nodes) note('NATS', pid);
  const own = await drawPorts();
  const env = {
    CONTAINER_MODE: 'simulated',
    TEMPLATES_FILE: await writeTemplates(dir, options),
    VALKEY_ADDR: valkey.address,
    NATS_URL: nats.url,
    QUEUE_REPLICAS: '3',
    CADDY_ADMIN_URL: caddy.adminUrl,
    ...ownSettings(own, { start: options.firstPort, end: options.firstPort + 1 }),
    NODE_CAPACITY: '1',
    OPERATOR_KEYS: OPERATOR_KEY,
    POOL_MAX_AGE: '48h',
    // Checking 20,000 instances every 15 s would be the work of fifty hosts; here two processors have all of it.
    POOL_HEALTH_INTERVAL: '5m',
  };
  const start = async (part: Part, args: readonly string[], saysUp: string): Promise<void> => {
    const child = await ChildServer.start({
      name: part,
      command: process.execPath,
      args: [MAIN, ...args],
      env,
      saysUp,
    });
    cleanups.push(() => child.stop());
    note(part, child.pid);
  };
  await start('discovery', ['discovery'], 'Discovery answers');
  await start('server', ['serve'], 'Try It Now started');
  const valkeyPort = Number(valkey.address.split(':')[1]);
  const client = new Valkey(valkeyPort, '127.0.0.1');
  cleanups.push(() => client.disconnect());
  return { dir, env, own, nats, valkeyPort, client, processes };
}

/** How many ports a node that may hold so many instances needs. */
export function portsFor(capacity: number): number {
  return capacity + RESTING_PORTS;
}

function lastPort(first: number, capacity: number): number {
  return first + portsFor(capacity) - 1;
}

async function writeTemplates(dir: string, { instances }: SimulatedFleetOptions): Promise<string> {
  const file = join(dir, 'templates.yaml');
  const templates = TEMPLATES.map((name) => ({
    name,
    title: name,
    image: 'localhost/unused',
    port: 80,
    readiness: { path: '/' },
    // None at first; the operator says how many.
    pool: { target: 0, max: instances / TEMPLATES.length + SPARE, replenish_threshold: 0 },
  }));
  await writeFile(file, stringify({ templates }));
  return file;
}
