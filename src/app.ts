import type { Logger } from 'pino';
import { chooseEngine, createNetworks, createRuntime, prepareRuntime, type Engine } from './adapters.ts';
import type { Config } from './config/config.ts';
import { systemClock } from './domain/clock.ts';
import { Catalogue } from './domain/template.ts';
import { TryItNowError, describeError, type ErrorCode } from './domain/errors.ts';
import { createServer } from './http/server.ts';
import { Loop } from './lifecycle/loop.ts';
import { sleep } from './lifecycle/sleep.ts';
import { Releasers } from './lifecycle/releasers.ts';
import { openOperatorDesk } from './operator-desk.ts';
import { abandon } from './pool/abandon.ts';
import { afterRollback } from './pool/after-rollback.ts';
import { promoteConfigured } from './pool/checkpoints.ts';
import { cleanUp } from './pool/cleanup.ts';
import { followContainers } from './pool/container-events.ts';
import { DeliveryCheck } from './pool/delivery-check.ts';
import { DemoPool } from './pool/demos.ts';
import type { ContainerRuntime, TaskHandlers } from './pool/ports.ts';
import { provision } from './pool/provision.ts';
import { reap, resumeCleanups } from './pool/reap.ts';
import { reconcile } from './pool/reconcile.ts';
import { replenish } from './pool/replenish.ts';
import { StockHealth } from './pool/stock-health.ts';
import { CaddyProxy } from './proxy/caddy-proxy.ts';
import { connectQueue } from './queue/connection.ts';
import { queueDepth } from './queue/depth.ts';
import { createPublisher } from './queue/publisher.ts';
import { DELIVERY_POLICY } from './queue/stream-and-consumers.ts';
import { startWorkers } from './queue/worker.ts';
import { openRestoreParts, type RestoreParts } from './restore-parts.ts';
import { HttpProbe } from './runtime/readiness/http-probe.ts';
import { openStore } from './store/store.ts';
import { Metrics } from './telemetry/metrics.ts';

/** `server`: API, page, loops and workers. `worker`: the workers alone, for this or a further node. */
export type Role = 'server' | 'worker';

export interface AppOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly role: Role;
  readonly version: string;
  /** Undefined: as the configuration says. `up` has chosen already. */
  readonly engine?: Engine;
  /** How often the books are compared with the world. */
  readonly reconcileIntervalMs?: number;
}

export interface App {
  readonly demos: DemoPool;
  readonly runtime: ContainerRuntime;
  /** The HTTP port that is listened on; undefined for a worker. */
  readonly port: number | undefined;
  /** In the order of the operators' contract; everything is released, whatever fails on the way. */
  stop(): Promise<void>;
}

/** Of the queue's patience with a silent worker: a task that is handed out again must find the lease over. */
const LEASE_SHARE = 2 / 3;
const REAP_INTERVAL_MS = 1_000;
/** A Caddy that was restarted has forgotten our site, and until it is told again nobody reaches their app. */
const PROXY_INTERVAL_MS = 2_000;
const RECONCILE_INTERVAL_MS = 30_000;
/** Before the engine's events are asked for again, where it ended them without a failure. */
const EVENTS_PAUSE_MS = 1_000;
const BEARABLE_AT_START: readonly ErrorCode[] = ['database_unavailable', 'database_failed', 'container_failed', 'queue_unavailable'];
/** While outdated stock is being replaced, a part at a time. */
const RECONCILE_GAP_MS = 2_000;
/** A burst of clicks plans this often at most; far below the time an instance takes to start. */
const REPLENISH_GAP_MS = 25;

/** The composition root. Throws what the part that could not be had throws; what was started by then is stopped again. */
export async function startApp(options: AppOptions): Promise<App> {
  const releasers = new Releasers();
  try {
    return await compose(options, releasers);
  } catch (error) {
    await releasers.releaseAll(options.log);
    throw error;
  }
}

async function compose({ config, log, role, version, engine, reconcileIntervalMs = RECONCILE_INTERVAL_MS }: AppOptions, releasers: Releasers): Promise<App> {
  const { node, proxy: proxyConfig, server } = config;
  const { address } = proxyConfig;
  const catalogue = new Catalogue(config.templates);

  const store = await openStore({
    valkey: config.valkey, node, limits: config.rateLimit,
    portRange: config.containers.portRange, portCoolDownMs: config.containers.portCoolDownMs, leaseMs: Math.floor(config.queue.ackWaitMs * LEASE_SHARE), log,
  });
  releasers.push('store', store.close);
  const connection = await connectQueue({ ...config.nats, log });
  releasers.push('queue', () => connection.close());
  const chosen = engine ?? (await chooseEngine(config, log));
  const runtime = createRuntime(chosen, config, log);
  releasers.push('runtime', () => runtime.close());
  await prepareRuntime(runtime, config);
  const restoring = openRestoreParts({ config, engine: chosen, use: 'server', promotions: store.promotions, log, releasers });
  await requireRestores(config, restoring);
  await promoteConfigured({ catalogue, checkpointing: restoring.checkpointing, shelf: restoring.shelf, promotions: store.promotions, log });

  await Promise.all(catalogue.all().map(({ name }) => store.arrivals.offer(name, catalogue.version(name) ?? '')));

  const queue = createPublisher({ connection, log });
  const proxy = new CaddyProxy({
    adminUrl: proxyConfig.adminUrl, listen: proxyConfig.listen, baseDomain: address.baseDomain,
    discovery: proxyConfig.discovery, publicUrl: server.publicUrl, trustedProxies: server.trustedProxies, log,
  });
  const metrics = new Metrics({
    templates: config.templates.map(({ name }) => name), version,
    sources: {
      stats: () => store.census.stats(config.templates),
      queue: async () => {
        const depth = await queueDepth(connection);
        return {
          consumers: new Map(depth.consumers.map(({ consumer, pending, outstanding }) => [consumer, { pending, inFlight: outstanding }])),
          dead: new Map([['PROVISIONING_DEAD', depth.dead]]),
        };
      },
      dependencies: { caddy: () => proxy.ping() }
    },
  });

  const replenisher: Loop = new Loop(
    { name: 'replenisher', intervalMs: config.pool.replenishIntervalMs, minGapMs: REPLENISH_GAP_MS, log },
    (signal) => replenish(parts, signal),
  );
  const probe = new HttpProbe();
  const parts = {
    catalogue, node, address, runtime, networks: createNetworks(chosen, config, log), proxy: role === 'server' ? proxy : undefined, queue, log, takes: store.takes, departures: store.departures, arrivals: store.arrivals,
    census: store.census, controls: store.controls, registry: store.registry, promotions: store.promotions, databases: restoring.databases, restorer: restoring.restorer, observer: metrics, probe, deliveryCheck: new DeliveryCheck(probe), proxyUrl: proxyConfig.internalUrl, clock: systemClock,
    onDemand: () => replenisher.nudge(), compareBooks: () => reconciler.nudge(),
  };
  // Once before anything else: it fills the port sets, puts the proxy's server in place and clears what a crash left.
  const { unfinished } = await reconcile(parts).catch((error: unknown) => {
    // What one template lacks, or one thing that cannot be cleared away, is no reason to serve nobody.
    if (!isOnly(error, BEARABLE_AT_START)) throw error;
    log.error({ err: error, reason: describeError(error) }, 'Not everything is in order; starting all the same, and trying again');
    return { unfinished: true };
  });

  const reconciler = new Loop({ name: 'reconciler', intervalMs: reconcileIntervalMs, minGapMs: Math.min(RECONCILE_GAP_MS, reconcileIntervalMs), log }, async () => {
    if ((await reconcile(parts)).unfinished) reconciler.nudge();
  });
  const health = new StockHealth(parts);
  // A further node looks after its own containers and ports; the pool itself is the server's business.
  const own = [
    new Loop({ name: 'container events', intervalMs: EVENTS_PAUSE_MS, log }, (signal) => followContainers(parts, signal)),
    new Loop({ name: 'stock health', intervalMs: config.pool.healthIntervalMs, log }, (signal) => health.round(signal)),
    reconciler,
  ];
  const reaper = new Loop({ name: 'reaper', intervalMs: REAP_INTERVAL_MS, log }, () => reap(parts));
  const proxyKeeper = new Loop({ name: 'proxy keeper', intervalMs: PROXY_INTERVAL_MS, log }, async () => {
    if ((await proxy.ensure()) === 'written') metrics.repaired('proxy', 1);
  });
  const loops = role === 'server' ? [replenisher, reaper, proxyKeeper, ...own] : own;
  // A round that waits for a part that hangs is left behind: the next start takes up what it had begun.
  releasers.push('loops', () => Promise.race([Promise.all(loops.map((loop) => loop.stop())), sleep(server.shutdownGraceMs)]));

  const handlers: TaskHandlers = {
    provision: (task, context) => provision(parts, task, context),
    cleanup: (task) => cleanUp(parts, task),
    abandoned: (task, reason, unseen) => abandon(parts, task, reason, unseen),
  };
  const workers = await startWorkers({ connection, node: node.name, count: config.queue.workers, handlers, log, policy: { ...DELIVERY_POLICY, ackWaitMs: config.queue.ackWaitMs } });
  releasers.push('workers', () => workers.stop(server.shutdownGraceMs));

  await resumeCleanups(parts);

  const demos = new DemoPool(parts);
  let port: number | undefined;
  if (role === 'server') {
    const guard = store.rollbackGuard.watch((retired) => {
      afterRollback(parts, retired);
      // Records of visitors' instances are older than the world as well.
      reconciler.nudge();
    });
    releasers.push('rollback guard', guard.stop);
    const http = await createServer({ demos, log, publicUrl: server.publicUrl, apiKeys: server.apiKeys, trustedProxies: server.trustedProxies, metrics, observer: metrics });
    releasers.push('http', () => http.close(server.shutdownGraceMs));
    port = await http.listen(server);
    await openOperatorDesk({ config, parts, store, connection, observer: metrics, releasers, log });
  }
  for (const loop of loops) loop.start();
  releasers.push('queue listener', connection.onReconnect(() => [replenisher, reaper].forEach((loop) => loop.retryNow())));
  store.onReturn(() => [replenisher, reaper, reconciler].forEach((loop) => loop.retryNow()));
  if (unfinished) reconciler.nudge();
  log.info({ role, engine: runtime.engine, node: node.name, port, templates: catalogue.all().map(({ name }) => name) }, 'Try It Now started');
  return { demos, runtime, port, stop: () => releasers.releaseAll(log) };
}

/** CRIU_ENABLED=true is for operators who would rather have no pool than a slow one. Throws checkpointing_unavailable. */
async function requireRestores({ checkpoints }: Config, { checkpointing }: RestoreParts): Promise<void> {
  if (checkpoints.mode !== 'on') return;
  const availability = checkpointing === undefined ? { available: false as const, reason: 'Only Podman can restore checkpoints here' } : await checkpointing.availability();
  if (!availability.available) throw new TryItNowError('checkpointing_unavailable', `${availability.reason} (CRIU_ENABLED is true; CRIU_ENABLED=auto starts instances cold where they cannot be restored)`);
}

function isOnly(thrown: unknown, codes: readonly ErrorCode[]): boolean {
  const errors: readonly unknown[] = thrown instanceof AggregateError ? thrown.errors : [thrown];
  return errors.every((error) => error instanceof TryItNowError && codes.includes(error.code));
}
