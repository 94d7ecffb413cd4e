import type { Logger } from 'pino';
import { awaitReplicas } from './await-replicas.ts';
import { createImageStorage, createNetworks, engineVersion } from './engines.ts';
import { Infrastructure } from './infrastructure.ts';
import { proxyTask } from './proxy-task.ts';
import { openLeadership, type Leadership } from './leadership.ts';
import { createMetrics } from './metrics.ts';
import { templatesWithPreviews } from './stored-previews.ts';
import { announceAll, createReload } from './template-reload.ts';
import type { Config } from '../config/config.ts';
import type { PublicAddress } from '../domain/address.ts';
import { steadyClock, systemClock, type Clock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import { Catalogue } from '../domain/template.ts';
import type { Releasers } from '../lifecycle/releasers.ts';
import type { Trigger } from '../lifecycle/trigger.ts';
import { openOwnName } from './own-host.ts';
import type { ImageAgreement } from '../pool/agree-on-images.ts';
import { Admission } from '../pool/admission.ts';
import { MemorySharing } from '../pool/share-memory.ts';
import { ShareWatch } from '../pool/share-watch.ts';
import { KernelPageMerging } from '../runtime/page-merging/page-merging.ts';
import { Gate } from '../pool/gate.ts';
import { ProofOfWork } from '../pool/proof-of-work.ts';
import { ContainerEnds } from '../pool/container-ends.ts';
import { DeliveryCheck } from '../pool/delivery-check.ts';
import { FailuresHere } from '../pool/failures-here.ts';
import { RunningContainers } from '../pool/running-containers.ts';
import { FrameFit } from '../pool/frame-fit.ts';
import type { Consumption } from '../pool/interfaces/consumption.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { ImageStorage } from '../pool/interfaces/image-storage.ts';
import type { Networks } from '../pool/interfaces/networks.ts';
import type { Observer } from '../pool/interfaces/observer.ts';
import type { Probe } from '../pool/interfaces/probe.ts';
import type { Proxy } from '../pool/interfaces/proxy.ts';
import type { NodeQueue } from '../pool/interfaces/node-queue.ts';
import type { TaskQueue } from '../pool/interfaces/task-queue.ts';
import { Proxies } from '../pool/proxies.ts';
import type { StorageReserve } from '../pool/storage-reserve.ts';
import type { CheckpointCarrier } from '../pool/carry-checkpoints.ts';
import { CheckpointsHere } from '../pool/checkpoints-here.ts';
import type { ImageUpdater } from '../pool/update-images.ts';
import { StartTurns } from '../pool/start-turns.ts';
import { OperatorActivity } from '../pool/operator-jobs.ts';
import { ReloadProgress, type ReadTemplates, type TemplateReload } from '../pool/reload-templates.ts';
import { beat, type HeartbeatDeps } from '../pool/heartbeat.ts';
import type { OwnName } from '../pool/own-name.ts';
import { TemplateFitness } from '../pool/template-fitness.ts';
import type { Restorer } from '../pool/restore.ts';
import type { CaddyProxy } from '../proxy/caddy-proxy.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { tasksReach } from '../queue/tasks-reach.ts';
import { createNodeQueue } from '../queue/node-tasks.ts';
import { JetStreamEvents } from '../queue/event-stream.ts';
import { createPublisher } from '../queue/publisher.ts';
import { createCheckpointCarrier } from './checkpoint-carrier.ts';
import { openEngine } from './engine-parts.ts';
import { createImageUpdater } from './image-updater.ts';
import { requireRestores, type RestoreParts } from './restoring.ts';
import { tracedParts, type TracedParts } from './traced-parts.ts';
import type { Engine } from '../runtime/engines.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import type { Store } from '../store/store.ts';
import type { TaskPatience } from '../store/task-patience.ts';
import type { LogLosses } from '../telemetry/log-writer.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { NO_TRACING, type Tracing } from '../telemetry/tracing/tracing.ts';
import { createPoster, type Poster } from '../webhooks/post.ts';

/** `server`: API, page, loops and workers. `worker`: the workers alone, for this or a further node. */
export type Role = 'server' | 'worker';

export interface PartsOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly role: Role;
  readonly version: string;
  /** Of what `log` writes to. */
  readonly logLosses?: LogLosses;
  /** NO_TRACING without it; closed by whoever opened it. */
  readonly tracing?: Tracing;
  /** Undefined: as the configuration says. `up` has chosen already. */
  readonly engine?: Engine;
  /** What the files that the templates are read from say now, without which they cannot be reloaded. */
  readonly readTemplates?: (() => ReadTemplates) | undefined;
  /** TASK_PATIENCE without it. */
  readonly taskPatience?: TaskPatience;
  /** Aborted when it is to stop, also before it has started. */
  readonly stopping?: AbortSignal | undefined;
  /** As the kernel says without it. */
  readonly boot?: string;
}

/** What a use case may ask of the loops. These are made of the parts, and so after them. */
export interface LoopTriggers {
  readonly refill: Trigger;
  readonly reconcile: Trigger;
}

/** Of the queue's patience with a silent worker: a task that is handed out again must find the lease over. */
const LEASE_SHARE = 2 / 3;

/** Everything the use cases, the loops and the API are given, opened once and released in reverse. */
export interface AppParts {
  readonly store: Store;
  readonly connection: QueueConnection;
  readonly caddy: CaddyProxy;
  readonly metrics: Metrics;
  readonly poster: Poster;
  readonly leadership: Leadership;
  readonly reload: TemplateReload;
  readonly activity: OperatorActivity;
  readonly pool: PoolParts;
}

/** Of the store, what use cases work with. */
type StoredPart =
  | 'claimStore'
  | 'cleanupStore'
  | 'provisioningStore'
  | 'failureLog'
  | 'usageStore'
  | 'inventory'
  | 'controls'
  | 'registry'
  | 'promotions'
  | 'previews'
  | 'processes'
  | 'waitingList'
  | 'visitSteps';

/** In the terms of the pool's use cases: each takes of it what it names itself. */
interface PoolParts extends Pick<Store, StoredPart>, TracedParts {
  readonly ownName: OwnName;
  /** Says once that this node is alive. */
  readonly beat: (stopping?: AbortSignal) => Promise<void>;
  readonly fitness: TemplateFitness;
  readonly requestReconcile: () => void;
  readonly catalogue: Catalogue;
  readonly node: Config['node'];
  readonly address: PublicAddress;
  readonly proxies: Proxies;
  readonly log: Log;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly gate: Gate;
  readonly shares: ShareWatch;
  readonly observer: Observer;
  readonly queue: TaskQueue;
  readonly nodeQueue: NodeQueue;
  readonly networks: Networks | undefined;
  /** Undefined for a stand-in. */
  readonly consumption: Consumption | undefined;
  /** Undefined for a stand-in. */
  readonly memorySharing: MemorySharing | undefined;
  readonly storageReserve: StorageReserve;
  readonly probe: Probe;
  readonly frameFit: FrameFit;
  readonly deliveryCheck: DeliveryCheck;
  readonly runningContainers: RunningContainers;
  readonly containerEnds: ContainerEnds;
  readonly startTurns: StartTurns;
  readonly failuresHere: FailuresHere;
  /** Undefined: another node looks after the site. */
  readonly proxy: Proxy | undefined;
  readonly restorer: Restorer | undefined;
  /** Undefined: nothing is restored here. */
  readonly carrier: CheckpointCarrier | undefined;
  readonly imageUpdater: ImageUpdater;
  /** Undefined for a stand-in. */
  readonly imageStorage: ImageStorage | undefined;
  readonly images: Pick<Store, 'imagePins' | 'imageUpdates' | 'pulledImages'>;
}

/** Throws what the part that could not be had throws. */
export async function openAppParts(
  options: PartsOptions,
  triggers: LoopTriggers,
  releasers: Releasers,
): Promise<AppParts> {
  const { config, log, role, version, tracing: { tracer, counts: spans } = NO_TRACING } = options;
  const catalogue = new Catalogue(config.templates);
  const infrastructure = new Infrastructure({ config, catalogue, log, tracer, releasers });
  const store = await infrastructure.openStore({
    leaseMs: Math.floor(config.queue.ackWaitMs * LEASE_SHARE),
    patience: options.taskPatience,
  });
  catalogue.replace(await templatesWithPreviews(config, store));
  const connection = await infrastructure.openQueue();
  const pagesWait = store.pagesWait(proxyTask(config));
  const caddy = infrastructure.createProxy({ pagesWait, mayReplace: () => leadership.mayReplaceProxy() });
  const list: ContainerRuntime['list'] = () => runtime.list();
  const [progress, activity, probe] = [new ReloadProgress(), new OperatorActivity(), new HttpProbe()];
  const sources = { store, catalogue, connection, proxy: caddy, runtime: { list } };
  const metrics = createMetrics({ ...options, ...sources, spans });
  await awaitReplicas({ ...options, store, metrics });
  const host = { ...options, ownName: await openOwnName(options, store) };
  const forEngine = { ...options, infrastructure, catalogue, store, metrics, tracer, triggers, releasers };
  const onHost = await openEngine(forEngine);
  const { engine, runtime, restoring, lacks } = onHost;
  await requireRestores(config, restoring);
  const announceTemplates = (): Promise<void> => announceAll(catalogue, store, restoring, log);
  await announceTemplates();

  const leadership = await openLeadership({ ...options, ...sources, progress, activity, lacks, releasers });
  const proxies = new Proxies(probe, config.proxy.internalUrls);
  const pool: PoolParts = {
    ...nodeParts({ ...host, ...onHost, store, catalogue, connection, triggers, probe, leadership, metrics }),
    ...tracedParts(tracer, { refill: triggers.refill, runtime, databases: restoring.databases }),
    requestReconcile: () => triggers.reconcile.fire(),
    catalogue,
    log,
    probe,
    clock: systemClock,
    ...entryParts({ config, catalogue, store, connection, metrics, log }),
    observer: metrics,
    address: config.proxy.address,
    proxies,
    queue: createPublisher({ connection, log, tracer }),
    nodeQueue: createNodeQueue(connection),
    networks: createNetworks(engine, config, log, { catalogue }),
    frameFit: new FrameFit({ probe, proxies, log }),
    ...deliveryParts(probe, runtime, config),
    containerEnds: new ContainerEnds(),
    startTurns: new StartTurns({ slots: config.queue.workers, templates: () => catalogue.all().length }),
    ...storedParts(store),
    // A further node looks after its own containers; the site is the server's business.
    proxy: role === 'server' ? caddy : undefined,
    restorer: restoring.restorer,
  };
  // After the loops, one of which it is.
  releasers.push('memory sharing', async () => pool.memorySharing?.stop());
  const reload = createReload({ ...options, ...pool, ...leadership, progress, announceTemplates });
  const poster = createPoster({ userAgent: `try-it-now/${version}` });
  releasers.push('webhook connections', () => poster.close());
  return { store, connection, caddy, metrics, poster, leadership, reload, activity, pool };
}

function deliveryParts(
  probe: Probe,
  runtime: ContainerRuntime,
  { node }: Config,
): Pick<PoolParts, 'deliveryCheck' | 'runningContainers'> {
  return { deliveryCheck: new DeliveryCheck(probe, node.name), runningContainers: new RunningContainers(runtime) };
}

type NodePart =
  | 'node'
  | 'consumption'
  | 'memorySharing'
  | 'storageReserve'
  | 'failuresHere'
  | 'fitness'
  | 'ownName'
  | 'beat'
  | 'carrier'
  | ImagePart;
type ImagePart = 'imageUpdater' | 'imageStorage' | 'images';

/** What this host has and can, and how it says so. */
function nodeParts(parts: {
  readonly config: Config;
  readonly version: string;
  readonly ownName: OwnName;
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly engine: Engine;
  readonly runtime: ContainerRuntime;
  readonly consumption: Consumption | undefined;
  readonly storageReserve: StorageReserve;
  readonly restoring: RestoreParts;
  readonly images: ImageAgreement;
  readonly probe: Probe;
  readonly leadership: Leadership;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly connection: QueueConnection;
  readonly triggers: LoopTriggers;
}): Pick<PoolParts, NodePart> {
  const { config, version, ownName, store, catalogue, engine, runtime, restoring, log, connection, triggers } = parts;
  const { consumption, storageReserve } = parts;
  const observer = parts.metrics;
  const { node } = config;
  const failuresHere = new FailuresHere({ catalogue, steadyClock });
  const { images } = parts;
  const fitness = new TemplateFitness({ catalogue, runtime, images, databases: restoring.databases, failuresHere });
  const requestReconcile = (): void => triggers.reconcile.fire();
  const carrier = createCheckpointCarrier({ ...parts, observer });
  const imageUpdater = createImageUpdater({ ...parts, observer, requestReconcile });
  const heartbeat: HeartbeatDeps = {
    ...{ ...store, ownName, catalogue, runtime, fitness, consumption, storageReserve, node, carrier, log },
    leads: parts.leadership.node,
    queueAnswers: () => tasksReach(connection, node.name),
    requestReconcile,
    engineVersion: engineVersion(engine, config),
    checkpoints: restoring.restorer && new CheckpointsHere(restoring.checkpointRepository, log),
    portRange: config.containers.portRange,
    program: version,
  };
  const memorySharing =
    consumption === undefined
      ? undefined
      : new MemorySharing({
          ...store,
          catalogue,
          consumption,
          pageMerging: new KernelPageMerging(),
          observer,
          node,
          log,
        });
  const beats = { ownName, beat: (stopping?: AbortSignal) => beat(heartbeat, stopping) };
  const stored = { imageStorage: createImageStorage(engine, config, log), images: store };
  const told = { storageReserve, failuresHere, fitness, carrier, imageUpdater };
  return { ...stored, node, consumption, memorySharing, ...told, ...beats };
}

/** What stands between a click and an instance. */
function entryParts({
  config: {
    heldLimit,
    gate: { mode, maxNumber },
    webhooks,
  },
  catalogue,
  store: { challengeStore, inventory, networkRules, shareCounts, turns },
  connection,
  metrics: observer,
  log,
}: {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly store: Store;
  readonly connection: QueueConnection;
  readonly metrics: Metrics;
  readonly log: Log;
}): Pick<PoolParts, 'admission' | 'gate' | 'shares'> {
  const proof = new ProofOfWork({ store: challengeStore, clock: systemClock, maxNumber });
  const admission = new Admission({ held: heldLimit, rules: networkRules });
  return {
    admission,
    gate: new Gate({ mode, catalogue, inventory, proof, observer, log }),
    shares: new ShareWatch({
      shareCounts,
      turn: turns.of('shares'),
      admission,
      observer,
      events: webhooks.some(({ events }) => events.includes('suspected'))
        ? { stream: new JetStreamEvents({ connection, log }), observer }
        : undefined,
      clock: systemClock,
      log,
    }),
  };
}

function storedParts({
  claimStore,
  cleanupStore,
  provisioningStore,
  failureLog,
  usageStore,
  inventory,
  controls,
  registry,
  previews,
  promotions,
  processes,
  waitingList,
  visitSteps,
}: Store): Pick<Store, StoredPart> {
  return {
    claimStore,
    cleanupStore,
    provisioningStore,
    failureLog,
    usageStore,
    inventory,
    controls,
    registry,
    previews,
    promotions,
    processes,
    waitingList,
    visitSteps,
  };
}
