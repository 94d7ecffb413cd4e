import { chooseEngine, connectDatabases, createNetworks, createRuntime, isInProcess, isLastResort } from './engines.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { FIRST_NODE } from '../domain/node.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { RepairDeps } from '../pool/repair-drift.ts';
import type { TaskQueue } from '../pool/interfaces/task-queue.ts';
import { CaddyProxy } from '../proxy/caddy-proxy.ts';
import { connectQueue } from '../queue/connection.ts';
import { createPublisher } from '../queue/publisher.ts';
import type { Engine } from '../runtime/engines.ts';
import { openStore } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';

export interface ReconcileContext extends RepairDeps {
  readonly close: () => Promise<void>;
}

/**
 * What the command compares and repairs with, on this node, beside whatever server runs. Throws store_unavailable, and
 * engine_unavailable where the server's containers cannot be seen: to a wrong engine all of them would look lost.
 */
export async function openReconcileContext(config: Config, version: string, log: Log): Promise<ReconcileContext> {
  const releasers = new Releasers();
  try {
    const { containers, node, proxy, server } = config;
    const store = await openStore({
      valkey: config.valkey,
      node,
      limits: config.rateLimit,
      portRange: containers.portRange,
      portCoolDownMs: containers.portCoolDownMs,
      log,
    });
    releasers.push('store', store.close);
    const engine = await chooseEngine(config, log);
    requireVisibleEngine(engine, config);
    const runtime = createRuntime(engine, config, log);
    releasers.push('runtime', () => runtime.close());
    const databases = connectDatabases(config, 'command', log);
    if (databases !== undefined) releasers.push('databases', () => databases.close());
    return {
      runtime,
      networks: createNetworks(engine, config, log),
      databases,
      queue: await openQueue(config, log, releasers),
      log,
      node,
      clock: systemClock,
      claimStore: store.claimStore,
      cleanupStore: store.cleanupStore,
      provisioningStore: store.provisioningStore,
      inventory: store.inventory,
      proxy:
        node.name !== FIRST_NODE
          ? undefined
          : new CaddyProxy({
              adminUrl: proxy.adminUrl,
              listen: proxy.listen,
              baseDomain: proxy.address.baseDomain,
              discovery: proxy.discovery,
              publicUrl: server.publicUrl,
              trustedProxies: server.trustedProxies,
              log,
            }),
      observer: new Metrics({ templates: config.templates.map(({ name }) => name), version }),
      requestRefill: () => undefined,
      close: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}

function requireVisibleEngine(engine: Engine, config: Config): void {
  if (isLastResort(engine, config))
    throw new TryItNowError(
      'engine_unavailable',
      'No container engine answers, so nothing can be said about containers; start the one the server uses, or name it with CONTAINER_MODE',
    );
  if (isInProcess(engine, config))
    throw new TryItNowError(
      'engine_unavailable',
      "The simulated containers live inside the server's own process and cannot be seen from here; with SIMULATED_SOCKET they are a process of their own",
    );
}

/** The rest can be checked without NATS as well. What was published is waited for before the connection is closed. */
async function openQueue(config: Config, log: Log, releasers: Releasers): Promise<TaskQueue> {
  try {
    const connection = await connectQueue({ ...config.nats, log });
    releasers.push('queue', () => connection.close());
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
    return { publishProvision: refuse, publishCleanup: refuse, provisions: refuse };
  }
}
