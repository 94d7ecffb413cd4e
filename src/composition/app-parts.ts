import type { Logger } from 'pino';
import { chooseEngine, createNetworks, createRuntime, prepareRuntime } from './engines.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import { Catalogue } from '../domain/template.ts';
import type { Releasers } from '../lifecycle/releasers.ts';
import { promoteConfigured } from '../pool/checkpoints.ts';
import { DeliveryCheck } from '../pool/delivery-check.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import { poolStatuses } from '../pool/pool-status.ts';
import { CaddyProxy } from '../proxy/caddy-proxy.ts';
import { connectQueue, type QueueConnection } from '../queue/connection.ts';
import { queueDepth } from '../queue/depth.ts';
import { createPublisher } from '../queue/publisher.ts';
import { openRestoreParts, type RestoreParts } from './restoring.ts';
import { RESTORING_TITLES, type Engine } from '../runtime/engines.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { openStore, type Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';

/** `server`: API, page, loops and workers. `worker`: the workers alone, for this or a further node. */
export type Role = 'server' | 'worker';

export interface PartsOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly role: Role;
  readonly version: string;
  /** Undefined: as the configuration says. `up` has chosen already. */
  readonly engine?: Engine;
}

/** What a use case may ask of the loops: they are made of the parts, and so after them. */
export interface LoopTriggers {
  readonly requestRefill: () => void;
  readonly requestReconcile: () => void;
}

/** Of the queue's patience with a silent worker: a task that is handed out again must find the lease over. */
const LEASE_SHARE = 2 / 3;

/** Everything the use cases, the loops and the API are given, opened once and released in reverse. */
export type AppParts = Awaited<ReturnType<typeof openAppParts>>;

/** Throws what the part that could not be had throws. */
export async function openAppParts(options: PartsOptions, triggers: LoopTriggers, releasers: Releasers) {
  const { config, log, role, version } = options;
  const { node, proxy: proxyConfig, server } = config;
  const catalogue = new Catalogue(config.templates);

  const store = await openStore({
    valkey: config.valkey,
    node,
    limits: config.rateLimit,
    portRange: config.containers.portRange,
    portCoolDownMs: config.containers.portCoolDownMs,
    leaseMs: Math.floor(config.queue.ackWaitMs * LEASE_SHARE),
    log,
  });
  releasers.push('store', store.close);
  const connection = await connectQueue({ ...config.nats, log });
  releasers.push('queue', () => connection.close());
  const engine = options.engine ?? (await chooseEngine(config, log));
  await requireEngineOfInstances(engine, config, store);
  const runtime = createRuntime(engine, config, log);
  releasers.push('runtime', () => runtime.close());
  await prepareRuntime(runtime, config, log);
  const restoring = openRestoreParts({ config, engine, use: 'server', promotions: store.promotions, log, releasers });
  await requireRestores(config, restoring);
  await promoteConfigured({
    catalogue,
    checkpointing: restoring.checkpointing,
    checkpointRepository: restoring.checkpointRepository,
    promotions: store.promotions,
    log,
  });
  await Promise.all(
    catalogue.all().map(({ name }) => store.provisioningStore.announceVersion(name, catalogue.version(name) ?? '')),
  );

  const proxy = new CaddyProxy({
    adminUrl: proxyConfig.adminUrl,
    listen: proxyConfig.listen,
    baseDomain: proxyConfig.address.baseDomain,
    discovery: proxyConfig.discovery,
    publicUrl: server.publicUrl,
    trustedProxies: server.trustedProxies,
    log,
  });
  const metrics = createMetrics({ config, version, store, connection, proxy, runtime });
  const probe = new HttpProbe();
  return {
    store,
    connection,
    caddy: proxy,
    metrics,
    /** In the terms of the pool's use cases. */
    pool: {
      ...triggers,
      catalogue,
      node,
      runtime,
      log,
      probe,
      clock: systemClock,
      observer: metrics,
      address: proxyConfig.address,
      proxyUrl: proxyConfig.internalUrl,
      // A further node looks after its own containers; the site is the server's business.
      proxy: role === 'server' ? proxy : undefined,
      networks: createNetworks(engine, config, log),
      queue: createPublisher({ connection, log }),
      deliveryCheck: new DeliveryCheck(probe),
      claimStore: store.claimStore,
      cleanupStore: store.cleanupStore,
      provisioningStore: store.provisioningStore,
      inventory: store.inventory,
      controls: store.controls,
      registry: store.registry,
      promotions: store.promotions,
      databases: restoring.databases,
      restorer: restoring.restorer,
    },
  };
}

function createMetrics({
  config,
  version,
  store,
  connection,
  proxy,
  runtime,
}: {
  readonly config: Config;
  readonly version: string;
  readonly store: Store;
  readonly connection: QueueConnection;
  readonly proxy: CaddyProxy;
  readonly runtime: Pick<ContainerRuntime, 'list'>;
}): Metrics {
  return new Metrics({
    templates: config.templates.map(({ name }) => name),
    version,
    sources: {
      stats: () => store.inventory.stats(config.templates),
      statuses: () =>
        poolStatuses(
          { ...store, clock: systemClock },
          config.templates.map(({ name }) => name),
        ),
      queue: async () => {
        const depth = await queueDepth(connection);
        return {
          consumers: new Map(
            depth.consumers.map(({ consumer, pending, outstanding, redelivered }) => [
              consumer,
              { pending, inFlight: outstanding, redelivered },
            ]),
          ),
          oldestAgeMs: depth.oldestAtMs === undefined ? 0 : Math.max(0, systemClock.now() - depth.oldestAtMs),
          dead: new Map([['PROVISIONING_DEAD', depth.dead]]),
        };
      },
      dependencies: { caddy: () => proxy.ping(), engine: () => runtime.list() },
    },
  });
}

/**
 * CONTAINER_MODE=auto picks what answers. With Podman unavailable at this very start that would be another engine, to which all
 * that visitors have looks lost. Throws engine_unavailable.
 */
async function requireEngineOfInstances(
  { name: engine }: Engine,
  { containers, node }: Config,
  { registry, inventory }: Store,
): Promise<void> {
  if (containers.mode !== 'auto') return;
  const before = await registry.engine();
  if (before === undefined || before === engine) return;
  const count = (await inventory.list()).filter((instance) => instance.node === node.name).length;
  if (count === 0) return;
  throw new TryItNowError(
    'engine_unavailable',
    `The ${count} instances of node ${node.name} run on ${before}, which does not answer; start it again, or set CONTAINER_MODE=${engine} to give them up and go on with ${engine}`,
  );
}

/** CRIU_ENABLED=true is for operators who would rather have no pool than a slow one. Throws checkpointing_unavailable. */
async function requireRestores({ checkpoints }: Config, { checkpointing }: RestoreParts): Promise<void> {
  if (checkpoints.mode !== 'on') return;
  const availability =
    checkpointing === undefined
      ? { available: false as const, reason: `Only ${RESTORING_TITLES} can restore checkpoints here` }
      : await checkpointing.availability();
  if (!availability.available)
    throw new TryItNowError(
      'checkpointing_unavailable',
      `${availability.reason} (CRIU_ENABLED is true; CRIU_ENABLED=auto starts instances cold where they cannot be restored)`,
    );
}
