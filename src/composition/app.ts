import { createDemos } from './demos.ts';
import { OUTBOX_LIMIT, createEventLoops } from './events.ts';
import { createLoops, type AppLoops } from './loops.ts';
import { requireQueue } from './metrics.ts';
import { openAppParts, type AppParts, type LoopTriggers, type PartsOptions } from './app-parts.ts';
import type { Config } from '../config/config.ts';
import { connectUrl } from '../domain/address.ts';
import { NO_NODE } from '../domain/node.ts';
import { TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';
import { NO_TRACER } from '../domain/tracer.ts';
import type { Demos } from '../http/demos.ts';
import { createServer } from '../http/server.ts';
import { createWorkerServer } from '../http/worker-server.ts';
import type { Loop } from '../lifecycle/loop.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { Trigger } from '../lifecycle/trigger.ts';
import { startAdminServer } from './admin-server.ts';
import { handleDeadLetter } from '../pool/dead-letter.ts';
import { afterRollback } from '../pool/after-rollback.ts';
import { cleanUp } from '../pool/cleanup.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { TaskHandlers } from '../pool/interfaces/task-handlers.ts';
import { leaveProxy } from '../pool/end-unused.ts';
import { provision } from '../pool/provision.ts';
import { resumeCleanups } from '../pool/reap.ts';
import type { Scope } from '../pool/detect-drift.ts';
import { reconcile } from '../pool/reconcile.ts';
import { DELIVERY_POLICY } from '../queue/stream-and-consumers.ts';
import { readyQueue, startWorkers, type Workers } from '../queue/worker.ts';
import { Languages } from '../presentation/languages/languages.ts';
import { loadPages } from '../web/pages.ts';

export interface AppOptions extends PartsOptions {
  /** How often the recorded state is compared with the actual one (ms). */
  readonly reconcileIntervalMs?: number;
  /** As soon as tasks are taken, however the start ends. */
  readonly onHandling?: ((handling: Handling) => void) | undefined;
}

/** After a stop, or a start that failed. */
export interface Handling {
  /** Whether the tasks that are left running, as an engine was at them, end within the limit. */
  untilIdle(limitMs: number): Promise<boolean>;
}

export interface App {
  readonly demos: Demos;
  readonly runtime: ContainerRuntime;
  /** The HTTP port that is listened on; undefined for a worker. */
  readonly port: number | undefined;
  /** Resolves once another host has this node's name: it has to stop, before it ends visits on the other. */
  readonly nameTaken: Promise<TryItNowError>;
  /** Goes by what the templates' files say now; what is wrong with them is in the log. */
  reloadTemplates(): Promise<void>;
  /** In the order of the operators' contract; everything is released, whatever fails on the way. */
  stop(): Promise<void>;
}

const TOLERATED_AT_START: readonly ErrorCode[] = [
  'database_unavailable',
  'database_failed',
  'container_failed',
  'image_missing',
  'queue_unavailable',
];

/**
 * The composition root. Throws what the part that could not be had throws; what was started by then is stopped again.
 */
export async function startApp(options: AppOptions): Promise<App> {
  const releasers = new Releasers();
  try {
    return await compose(options, releasers);
  } catch (error) {
    await releasers.releaseAll(options.log);
    throw error;
  }
}

async function compose(options: AppOptions, releasers: Releasers): Promise<App> {
  const { config, log, role, reconcileIntervalMs } = options;
  const triggers: LoopTriggers = { refill: new Trigger(), reconcile: new Trigger() };
  const parts = await openAppParts(options, triggers, releasers);
  const { pool } = parts;
  const loops = createLoops(parts, { config, role, triggers, reconcileIntervalMs });
  const eventLoops = role === 'server' ? await prepareEvents(parts, config.webhooks) : [];
  // After the loops: nothing says afterwards that this server still watches.
  releasers.push('connections through the proxy', () => leaveProxy(pool));
  // A round that waits for a part that hangs is left behind: the next start takes up what it had begun.
  releasers.push('loops', () =>
    withDeadline(
      config.server.shutdownGraceMs,
      Promise.all([...loops.all, ...eventLoops].map((loop) => loop.stop())),
      () => undefined,
    ),
  );
  const holdsInstances = config.node.name !== NO_NODE;
  if (holdsInstances) {
    // Of two that start together under one name, one goes on. Who is no node has no heartbeat, nor one to stop.
    await pool.beat(options.stopping);
    // However long it takes to start, what is ready here stays.
    loops.heartbeat.start();
  }
  const { unfinished } = await reconcileAtStart(parts, holdsInstances ? 'all' : 'pool');
  await parts.reload.begin(parts.leadership.reloadsAsked());
  // Before the first refill is planned: it goes to nodes that are heard of.
  await pool.beat();

  if (holdsInstances) {
    const handling = await startHandling(parts, config, releasers);
    options.onHandling?.(handling);
    await resumeCleanups(pool, { node: config.node.name });
  } else {
    await readyQueue(parts.connection, log);
  }
  const demos = createDemos(pool);
  if (role === 'server') await pool.admission.refresh();
  const http = role === 'server' ? await startServing(parts, demos, loops, config, releasers) : undefined;
  if (role === 'worker') await startWatched(parts, config, releasers);

  for (const loop of [...loops.all, ...eventLoops]) loop.start();
  listenForReturns(parts, loops, eventLoops, releasers);
  if (unfinished) loops.reconciler.trigger();
  log.info(
    {
      role,
      engine: pool.runtime.engine,
      node: holdsInstances ? config.node.name : undefined,
      port: http?.port,
      templates: pool.catalogue.all().map(({ name }) => name),
    },
    'Try It Now started',
  );
  const stop = async (): Promise<void> => {
    await http?.leave();
    await releasers.releaseAll(log);
  };
  return {
    ...{ demos, runtime: pool.runtime, port: http?.port, nameTaken: pool.ownName.taken, stop },
    reloadTemplates: () => parts.reload.reloadOnSignal(),
  };
}

/** What waited for Valkey or NATS goes on as soon as they are back. */
function listenForReturns(
  { pool, store, connection }: AppParts,
  loops: AppLoops,
  eventLoops: readonly Loop[],
  releasers: Releasers,
): void {
  const { replenisher, reaper, tickets, queueKeeper, reconciler, heartbeat, leadershipKeeper } = loops;
  releasers.push(
    'queue listener',
    connection.onReconnect(() =>
      [heartbeat, queueKeeper, replenisher, tickets, ...eventLoops].forEach((loop) => loop.retryNow()),
    ),
  );
  releasers.push(
    'listener for lost tasks',
    connection.onTasksLost(() => {
      [replenisher, tickets].forEach((loop) => loop.retryNow());
      void resumeCleanups(pool).catch((error: unknown) =>
        pool.log.warn(
          { reason: describeError(error) },
          'Cleanups whose tasks are lost are not queued again yet; each is taken up when it is overdue',
        ),
      );
    }),
  );
  store.onReturn(() =>
    [leadershipKeeper, heartbeat, replenisher, reaper, tickets, reconciler, ...eventLoops].forEach((loop) =>
      loop.retryNow(),
    ),
  );
}

/** Before anything is handed out: whether what happens to visits is written down. */
async function prepareEvents(
  { store, connection, metrics, poster, pool }: AppParts,
  webhooks: Config['webhooks'],
): Promise<readonly Loop[]> {
  await store.outbox.limit(webhooks.length === 0 ? 0 : OUTBOX_LIMIT);
  return createEventLoops({ webhooks, store, connection, metrics, poster, log: pool.log });
}

/** Once before anything else: it fills the port sets, puts the proxy's server in place and clears what a crash left. */
async function reconcileAtStart({ pool }: AppParts, scope: Scope): Promise<{ readonly unfinished: boolean }> {
  try {
    return await reconcile(pool, scope);
  } catch (error) {
    // What one template lacks, or one thing that cannot be removed, is no reason to serve nobody.
    if (!isOnly(error, TOLERATED_AT_START)) throw error;
    pool.log.error(
      { err: error, reason: describeError(error) },
      'Not everything is in order; starting all the same, and trying again',
    );
    return { unfinished: true };
  }
}

async function startHandling(
  { pool, store, connection, metrics }: AppParts,
  { node, queue, server }: Config,
  releasers: Releasers,
): Promise<Workers> {
  const handlers: TaskHandlers = {
    provision: (task, context) => provision(pool, task, context),
    cleanup: (task) => cleanUp(pool, task),
    deadLettered: (task, reason, unseen) => handleDeadLetter(pool, task, reason, unseen),
  };
  const workers = await startWorkers({
    connection,
    node: node.name,
    count: queue.workers,
    handlers,
    hasRoom: () => !pool.storageReserve.low,
    ready: async () => {
      await store.ping();
      pool.ownName.requireHeld();
    },
    log: pool.log,
    observer: metrics,
    tracer: pool.tracer,
    policy: { ...DELIVERY_POLICY, ackWaitMs: queue.ackWaitMs },
  });
  releasers.push('workers', () => workers.stop(server.shutdownGraceMs));
  return workers;
}

interface Serving {
  readonly port: number;
  /** Has load balancers send their requests elsewhere, and waits for as long as they may take to notice. */
  readonly leave: () => Promise<void>;
}

/** Throws port_taken. */
async function startServing(
  { pool, store, connection, poster, metrics, reload, activity, leadership }: AppParts,
  demos: Demos,
  { reconciler }: AppLoops,
  config: Config,
  releasers: Releasers,
): Promise<Serving> {
  const { server } = config;
  const guard = store.rollbackGuard.watch((retired) => {
    afterRollback(pool, retired);
    // Records of visitors' instances are older than the world as well.
    reconciler.trigger();
  });
  releasers.push('rollback guard', guard.stop);
  const http = await createServer({
    demos,
    log: pool.log,
    publicUrl: server.publicUrl,
    apiKeys: server.apiKeys,
    trustedProxies: server.trustedProxies,
    funnelSites: config.funnel.sites,
    metrics,
    ready: store.requirePrimary,
    observer: metrics,
    tracing: pool.tracer === NO_TRACER ? undefined : { tracer: pool.tracer, parents: config.tracing.parents },
    pages: await loadPages({
      languages: new Languages(config.presentation.languages),
      branding: config.presentation.branding,
      connectUrl: config.proxy.connectAhead ? connectUrl(config.proxy.address) : undefined,
    }),
  });
  releasers.push('http', () => http.close(server.shutdownGraceMs));
  await startAdminServer({
    config,
    parts: { ...pool, reload },
    store,
    connection,
    poster,
    ...{ activity, announceProcess: leadership.announceProcess },
    observer: metrics,
    releasers,
    log: pool.log,
  });
  return {
    // Last: whoever finds that it answers finds everything else up.
    port: await http.listen(server),
    leave: async () => {
      http.leave();
      if (server.shutdownDrainMs === 0) return;
      pool.log.info({ drainMs: server.shutdownDrainMs }, 'Load balancers are told to send their requests elsewhere');
      await sleep(server.shutdownDrainMs);
    },
  };
}

/** Of a worker, which serves nobody else. Throws port_taken. */
async function startWatched(
  { pool: { log }, store, connection, metrics }: AppParts,
  { server, worker }: Config,
  releasers: Releasers,
): Promise<void> {
  const http = await createWorkerServer({
    log,
    publicUrl: server.publicUrl,
    metrics,
    ready: async () => {
      await store.ping();
      await requireQueue(connection);
    },
    observer: metrics,
  });
  releasers.push('http', () => http.close(server.shutdownGraceMs));
  await http.listen(worker.metrics);
}

function isOnly(thrown: unknown, codes: readonly ErrorCode[]): boolean {
  const errors: readonly unknown[] = thrown instanceof AggregateError ? thrown.errors : [thrown];
  return errors.every((error) => error instanceof TryItNowError && codes.includes(error.code));
}
