import { createNetworks, isInProcess, isLastResort } from './engines.ts';
import { Infrastructure } from './infrastructure.ts';
import type { Config } from '../config/config.ts';
import { ownDatabases } from '../database/own-databases.ts';
import { DATABASE_ENGINES, DATABASE_SERVERS, type DatabaseEngine } from '../domain/database.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { RunningProcess } from '../domain/running-process.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { cleanupConsumer } from '../queue/names.ts';
import { consumersInUse, deleteStream, ownStreams } from '../queue/own-streams.ts';
import type { Engine } from '../runtime/engines.ts';
import { deleteKeys, ownKeys } from '../store/own-keys.ts';

/** Something of this deployment's that can be removed. */
export interface OwnedResource {
  readonly kind: string;
  readonly what: string;
  readonly remove: () => Promise<void>;
}

export interface OwnedResources {
  readonly all: readonly OwnedResource[];
  /** What is not touched, and why. */
  readonly left: readonly string[];
  readonly finish: () => Promise<void>;
}

/**
 * All that this deployment has on this node: containers, then networks and rules, databases with their users. Throws
 * what a part that does not answer throws.
 */
export async function ownedDemos(config: Config, log: Log): Promise<OwnedResources> {
  const releasers = new Releasers();
  try {
    const { engine, runtime } = await new Infrastructure({ config, log, releasers }).openEngine({
      toDo: 'look for containers of this deployment',
      require: (candidate) => requireAnsweringEngine(candidate, config),
    });
    // Those of a server's own process ended with it.
    const containers = isInProcess(engine, config) ? [] : await runtime.list();
    const networks = createNetworks(engine, config, log);
    const [own, strays] = [(await networks?.all()) ?? [], new Set((await networks?.unused()) ?? [])];
    const { servers, left } = await databaseServers(config, log);
    const databases = await ownDatabases(servers, config.deployment);
    return {
      left,
      all: [
        ...containers.map(({ name }) => ({ kind: 'container', what: name, remove: () => runtime.remove(name) })),
        ...own.map((name) => ({
          kind: 'network',
          what: name,
          remove: () => (strays.has(name) && networks !== undefined ? networks.remove(name) : dismantle(runtime, name)),
        })),
        ...databases.map(({ name, drop }) => ({ kind: 'database', what: name, remove: drop })),
      ],
      finish: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}

/** Nobody can tell from a database on a shared server whose node's it is: they are left while any node may have one. */
async function databaseServers(
  config: Config,
  log: Log,
): Promise<{ readonly servers: Config['databases']; readonly left: readonly string[] }> {
  const isShared = (engine: DatabaseEngine): boolean => config.databases[engine]?.shared !== undefined;
  const shared = DATABASE_ENGINES.filter(isShared);
  if (shared.length === 0 || (await hasActiveWorkers(config, 'every node', log)) === false)
    return { servers: config.databases, left: [] };
  return {
    servers: Object.fromEntries(
      Object.entries(config.databases).filter(([, { shared: place }]) => place === undefined),
    ),
    left: shared.map(
      (engine) =>
        `Databases on the shared ${DATABASE_SERVERS[engine].title} are left: workers of other nodes may run, which ` +
        'drop what no record names. Run this again when no node runs any more, with NATS up.',
    ),
  };
}

function requireAnsweringEngine(engine: Engine, config: Config): void {
  if (isLastResort(engine, config))
    throw new TryItNowError(
      'engine_unavailable',
      'No container engine answers, so containers could neither be found nor removed; start the one the server ' +
        'uses, or name it with CONTAINER_MODE',
    );
}

/** With the rules that keep its members apart; not while another node's containers are on it. */
async function dismantle(runtime: ContainerRuntime, network: string): Promise<void> {
  if (!(await runtime.unprepare()))
    throw new TryItNowError(
      'container_failed',
      `The network ${network} is still used by containers of another node of this deployment on this host; run ` +
        "this with that node's NODE_NAME first",
    );
}

/** This deployment's keys in Valkey and streams in NATS. Throws store_unavailable, queue_unavailable. */
export async function ownedData(config: Config, log: Log): Promise<OwnedResources> {
  const releasers = new Releasers();
  try {
    const infrastructure = new Infrastructure({ config, log, releasers });
    const client = await infrastructure.openValkey();
    const queue = await infrastructure.openQueue();
    const [keys, streams] = [await ownKeys(client), await ownStreams(queue)];
    return {
      left: [],
      all: [
        ...streams.map(({ name, messages }) => ({
          kind: 'stream',
          what: `${name} (${messages} messages)`,
          remove: () => deleteStream(queue, name),
        })),
        ...keys.map((name) => ({ kind: 'key', what: name, remove: () => deleteKeys(client, [name]) })),
      ],
      finish: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}

/** Every server and worker that was heard of a moment ago, also one that asks for no tasks. Undefined: no Valkey. */
export async function runningProcesses(config: Config, log: Log): Promise<readonly RunningProcess[] | undefined> {
  const releasers = new Releasers();
  try {
    const { processes } = await new Infrastructure({ config, log, releasers }).openStore();
    return await processes.running();
  } catch {
    return undefined;
  } finally {
    await releasers.releaseAll(log);
  }
}

/** Whether workers ask for tasks: those of this node alone, or of every node. Undefined where NATS does not answer. */
export async function hasActiveWorkers(
  config: Config,
  of: 'this node' | 'every node',
  log: Log,
): Promise<boolean | undefined> {
  const releasers = new Releasers();
  let queue: QueueConnection;
  try {
    queue = await new Infrastructure({ config, log, releasers }).openQueue();
  } catch {
    return undefined;
  }
  try {
    const used = await consumersInUse(queue);
    return of === 'every node' ? used.length > 0 : used.includes(cleanupConsumer(config.node.name));
  } catch {
    // No stream: nobody can be asking.
    return false;
  } finally {
    await releasers.releaseAll(log);
  }
}
