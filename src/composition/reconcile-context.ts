import { connectDatabases, createNetworks, isInProcess, isLastResort } from './engines.ts';
import { Infrastructure } from './infrastructure.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { FIRST_NODE } from '../domain/node.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { RepairDeps } from '../pool/repair-drift.ts';
import type { TaskQueue } from '../pool/interfaces/task-queue.ts';
import { createPublisher } from '../queue/publisher.ts';
import type { Store } from '../store/store.ts';
import { otherUnderName } from './own-host.ts';
import { besideServers } from './proxy-task.ts';
import { templatesWithPreviews } from './stored-previews.ts';
import type { Engine } from '../runtime/engines.ts';
import { Metrics } from '../telemetry/metrics.ts';

export interface ReconcileContext extends RepairDeps {
  readonly close: () => Promise<void>;
}

/**
 * What the command compares and repairs with, on this node, beside whatever server runs. Throws store_unavailable, and
 * engine_unavailable where the server's containers cannot be seen: to a wrong engine all of them would look lost. So
 * would they on a host that is not the one that is recorded: invalid_config.
 */
export async function openReconcileContext(own: Config, version: string, log: Log): Promise<ReconcileContext> {
  const releasers = new Releasers();
  try {
    const infrastructure = new Infrastructure({ config: own, log, releasers });
    const store = await infrastructure.openStore();
    await requireOwnName(own, store);
    const config = { ...own, templates: await templatesWithPreviews(own, store) };
    const { node } = config;
    const { engine, runtime } = await infrastructure.openEngine({
      toDo: 'compare what is recorded with (the server repairs by itself what belongs to the whole pool)',
      require: (candidate) => requireVisibleEngine(candidate, config),
    });
    const databases = await connectDatabases(config, 'command', log);
    if (databases !== undefined) releasers.push('databases', () => databases.close());
    return {
      runtime,
      networks: createNetworks(engine, config, log),
      databases,
      queue: await openQueue(infrastructure, log, releasers),
      log,
      node,
      clock: systemClock,
      claimStore: store.claimStore,
      cleanupStore: store.cleanupStore,
      provisioningStore: store.provisioningStore,
      inventory: store.inventory,
      proxy:
        node.name === FIRST_NODE
          ? infrastructure.createProxy(besideServers(() => Promise.resolve(store), config))
          : undefined,
      observer: new Metrics({ templates: config.templates.map(({ name }) => name), version }),
      requestRefill: () => undefined,
      close: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}

/** One look: right after a reboot, what is heard may still be of this host before it, for 12 s at most. */
async function requireOwnName({ node }: Config, store: Store): Promise<void> {
  const other = await otherUnderName(node, store);
  if (other !== undefined)
    throw new TryItNowError(
      'invalid_config',
      `NODE_NAME=${node.name} is the name of another host, ${other.host ?? 'unnamed'} at ` +
        `${other.address ?? 'an unknown address'}, whose visits would be ended here. Run the command there, or give ` +
        'this host a name of its own. Right after a reboot of this one, try again in a quarter of a minute',
    );
}

function requireVisibleEngine(engine: Engine, config: Config): void {
  if (isLastResort(engine, config))
    throw new TryItNowError(
      'engine_unavailable',
      'No container engine answers, so nothing can be said about containers; start the one the server uses, or ' +
        'name it with CONTAINER_MODE',
    );
  if (isInProcess(engine, config))
    throw new TryItNowError(
      'engine_unavailable',
      "The simulated containers live inside the server's own process and cannot be seen from here; with " +
        'SIMULATED_SOCKET they are a process of their own',
    );
}

/** The rest can be checked without NATS as well. What was published is waited for before the connection is closed. */
async function openQueue(infrastructure: Infrastructure, log: Log, releasers: Releasers): Promise<TaskQueue> {
  try {
    const connection = await infrastructure.openQueue();
    const queue = createPublisher({ connection, log });
    const underWay = new Set<Promise<void>>();
    releasers.push('published tasks', () => Promise.allSettled(underWay));
    return {
      ...queue,
      publishCleanup: (task) => {
        const published = queue.publishCleanup(task);
        underWay.add(published);
        return published;
      },
    };
  } catch (error) {
    const refuse = (): Promise<never> => Promise.reject(error instanceof Error ? error : new Error(String(error)));
    return {
      publishProvision: refuse,
      publishCleanup: refuse,
      provisions: refuse,
      leftovers: refuse,
      discard: refuse,
    };
  }
}
