import type { Config } from '../config/config.ts';
import type { AppParts, LoopTriggers, Role } from './app-parts.ts';
import type { Leadership } from './leadership.ts';
import { steadyClock } from '../domain/clock.ts';
import { HEARTBEAT_INTERVAL_MS, NO_NODE } from '../domain/node.ts';
import { HISTORY_INTERVAL_MS, noteHistory } from '../pool/note-history.ts';
import type { Log } from '../domain/log.ts';
import { Loop } from '../lifecycle/loop.ts';
import type { Trigger } from '../lifecycle/trigger.ts';
import { followContainers } from '../pool/container-events.ts';
import { CpuBounds } from '../pool/cpu-bounds.ts';
import { endUnused } from '../pool/end-unused.ts';
import { reap, settleTickets } from '../pool/reap.ts';
import type { Scope } from '../pool/detect-drift.ts';
import { removeUnusedImages } from '../pool/remove-unused-images.ts';
import { reconcile } from '../pool/reconcile.ts';
import { PoolSizing } from '../pool/size-pools.ts';
import { replenish } from '../pool/replenish.ts';
import { dropLapsedPlaces } from '../pool/wait.ts';
import { SwapOutStock } from '../pool/swap-out-stock.ts';
import { CrowdingWatch } from '../pool/watch-crowding.ts';
import { DatabaseWatch } from '../pool/watch-databases.ts';
import { DiskWatch } from '../pool/watch-disk.ts';
import { ProcessorWatch } from '../pool/watch-processor.ts';
import { FleetPlanner } from '../pool/fleet-planner.ts';
import { NodeDrains } from '../pool/node-drains.ts';
import { NodeLosses } from '../pool/node-losses.ts';
import { HealthCheck } from '../pool/health-check.ts';
import type { Turn } from '../pool/interfaces/turn.ts';
import { forgetPreviews } from '../pool/forget-previews.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { resetAstrayConsumers } from '../queue/astray-consumers.ts';
import { putStreamsBack } from '../queue/stream-and-consumers.ts';

export interface LoopOptions {
  readonly config: Config;
  readonly role: Role;
  readonly triggers: LoopTriggers;
  /** How often the recorded state is compared with the actual one (ms). */
  readonly reconcileIntervalMs: number | undefined;
}

const REAP_INTERVAL_MS = 1_000;
/** What operators decide about nodes is carried out so soon. */
const NODES_INTERVAL_MS = 1_000;
/** How long a pool that is being emptied goes unnoticed. */
const GATE_INTERVAL_MS = 1_000;
/** How late it is told who takes too much. */
const SHARES_INTERVAL_MS = 5_000;
/** How long a ban that another server was told of takes to be known here. */
const ADMISSION_INTERVAL_MS = 2_000;
/** As often as discovery reports who is in use. */
const USAGE_INTERVAL_MS = 2_000;
/** A Caddy that was restarted has forgotten our site, and until it is told again nobody reaches their app. */
const PROXY_INTERVAL_MS = 2_000;
/** So late the first of a crowd is noticed. */
const SIZES_INTERVAL_MS = 5_000;
/** Of the queue's streams: the one of dead tasks is missed by nobody until it is needed. */
const QUEUE_INTERVAL_MS = 5_000;
/** Some GB are written meanwhile at most. */
const DISK_INTERVAL_MS = 3_000;
const PROCESSOR_INTERVAL_MS = 10_000;
/** While a fork bomb goes on, every program that is started waits for it. */
const CROWDING_INTERVAL_MS = 1_000;
/** For so long others wait for a connection at most. */
const DATABASES_INTERVAL_MS = 1_000;
/** How long a checkpoint that was promoted goes unnoticed on other nodes. */
const CHECKPOINTS_INTERVAL_MS = 5_000;
/** How long a preview that was put, or removed, on another server goes unnoticed. */
const PREVIEWS_INTERVAL_MS = 3_000;
/** How long what operators ask of an image goes unnoticed. */
const IMAGES_INTERVAL_MS = 2_000;
/** A disk holds what a few minutes bring. */
const UNUSED_IMAGES_INTERVAL_MS = 60_000;
/** A round of the kernel through a GiB takes about a second. */
const MEMORY_INTERVAL_MS = 5_000;
const RECONCILE_INTERVAL_MS = 30_000;
/** While outdated idle instances are being replaced, a part at a time. */
const RECONCILE_GAP_MS = 2_000;
/** Before the engine's events are asked for again, where it ended them without a failure. */
const EVENTS_PAUSE_MS = 1_000;
/** A burst of clicks plans this often at most; far below the time an instance takes to start. */
const REPLENISH_GAP_MS = 100;
/**
 * The longest pause of what needs the queue while that takes nothing: of a cluster of NATS that has elected a leader
 * nobody is told.
 */
const QUEUE_BACKOFF_MS = 2_000;

export interface AppLoops {
  readonly replenisher: Loop;
  readonly reaper: Loop;
  readonly tickets: Loop;
  readonly queueKeeper: Loop;
  readonly reconciler: Loop;
  readonly heartbeat: Loop;
  /** Of what this process does of what one does for all. */
  readonly leadershipKeeper: Loop;
  /** Those that this role runs. */
  readonly all: readonly Loop[];
}

/** Nothing runs yet: each begins with a round, so what is asked for before its start is not missed. */
export function createLoops(
  { pool, store, connection, caddy, metrics, leadership, reload }: AppParts,
  { config, role, triggers, reconcileIntervalMs = RECONCILE_INTERVAL_MS }: LoopOptions,
): AppLoops {
  const { log } = pool;
  const drains = new NodeDrains({ ...pool, turn: store.turns.of('nodes') });
  const planner = new FleetPlanner({ registry: pool.registry, placement: config.placement, log });
  const losses = new NodeLosses({ ...pool, steadyClock, turn: store.turns.of('nodes') });
  const refilling = {
    ...pool,
    planner,
    leavingReady: (template: string) => drains.leavingReady(template),
    stranded: (template: string) => losses.stranded(template),
  };
  const replenisher = new Loop(
    {
      ...{ name: 'replenisher', intervalMs: config.pool.replenishIntervalMs, minGapMs: REPLENISH_GAP_MS, log },
      maxBackoffMs: QUEUE_BACKOFF_MS,
    },
    (signal) => replenish(refilling, signal),
  );
  const reaper = new Loop({ name: 'reaper', intervalMs: REAP_INTERVAL_MS, log }, async () => {
    await reap(pool, losses.lost);
    await dropLapsedPlaces(pool);
  });
  const reconciler = createReconciler(pool, leadership, triggers.reconcile, reconcileIntervalMs);
  const proxyKeeper = new Loop({ name: 'proxy keeper', intervalMs: PROXY_INTERVAL_MS, log }, async () => {
    if ((await caddy.ensure()) === 'written') metrics.repaired('proxy', 1);
  });
  const tickets = new Loop(
    { name: 'ticket keeper', intervalMs: REAP_INTERVAL_MS, maxBackoffMs: QUEUE_BACKOFF_MS, log },
    () => settleTickets(pool),
  );
  const nodes = new Loop({ name: 'nodes', intervalMs: NODES_INTERVAL_MS, maxBackoffMs: QUEUE_BACKOFF_MS, log }, () =>
    drains.round(),
  );
  const lostNodes = new Loop(
    { name: 'lost nodes', intervalMs: NODES_INTERVAL_MS, maxBackoffMs: HEARTBEAT_INTERVAL_MS, log },
    () => losses.round(),
  );
  const heartbeat = new Loop(
    { name: 'heartbeat', intervalMs: HEARTBEAT_INTERVAL_MS, maxBackoffMs: HEARTBEAT_INTERVAL_MS, log },
    (signal) => pool.beat(signal),
  );
  const usage = usageLoop(pool, leadership);
  const queueKeeper = new Loop({ name: 'queue keeper', intervalMs: QUEUE_INTERVAL_MS, log }, () =>
    keepQueue(connection, store.turns.of('queue'), log),
  );
  triggers.refill.subscribe(() => replenisher.trigger());
  const leadershipKeeper = leadership.keeper(
    () => takeOver(pool, reconciler),
    () => reload.heard(leadership.reloadsAsked()),
  );
  const regular = { leadershipKeeper, heartbeat, reconciler };
  const own = ownLoops({ pool, leadership, reload }, config, regular);
  const ofPool = [...entryLoops({ pool, store }), ...sizeLoops(pool, store, leadership), queueKeeper, proxyKeeper];
  const named = { replenisher, reaper, tickets, queueKeeper, ...regular };
  const all = role === 'server' ? [replenisher, reaper, tickets, nodes, lostNodes, usage, ...ofPool, ...own] : own;
  return { ...named, all };
}

/** Each server watches its own proxy; one looks at the visits. */
function usageLoop(pool: AppParts['pool'], { pool: leads }: Leadership): Loop {
  return new Loop({ name: 'unused instances', intervalMs: USAGE_INTERVAL_MS, log: pool.log }, () =>
    endUnused({ ...pool, leads: leads ?? { held: false } }),
  );
}

/** Whoever did it before may have been killed with an instance stopped for a look. */
function takeOver({ consumption }: AppParts['pool'], reconciler: Loop): void {
  consumption?.forget();
  reconciler.trigger();
}

/** A further node looks after its own containers and ports; the pool itself is the server's business. */
function ownLoops(
  { pool, leadership, reload }: Pick<AppParts, 'pool' | 'leadership' | 'reload'>,
  config: Config,
  { leadershipKeeper: keeper, heartbeat, reconciler }: Pick<AppLoops, 'leadershipKeeper' | 'heartbeat' | 'reconciler'>,
): readonly Loop[] {
  const { log } = pool;
  const previews = new Loop({ name: 'previews', intervalMs: PREVIEWS_INTERVAL_MS, log }, async () => {
    await reload.refresh();
    if (leadership.pool?.held === true) await forgetPreviews(pool);
  });
  if (config.node.name === NO_NODE) return [keeper, previews, reconciler];
  const health = new HealthCheck(pool);
  return [
    keeper,
    previews,
    heartbeat,
    new Loop({ name: 'container events', intervalMs: EVENTS_PAUSE_MS, log }, (signal) =>
      followContainers(pool, signal),
    ),
    new Loop({ name: 'idle instance health', intervalMs: config.pool.healthIntervalMs, log }, async (signal) => {
      if (leadership.node.held) await health.round(signal);
    }),
    ...watchers(pool, config, leadership.node),
    new Loop({ name: 'checkpoints', intervalMs: CHECKPOINTS_INTERVAL_MS, log }, async (signal) => {
      if (leadership.node.held) await pool.carrier?.round(signal);
    }),
    new Loop({ name: 'images', intervalMs: IMAGES_INTERVAL_MS, log }, async (signal) => {
      // A worker on its host may look after the node, and decides about no image while there is a server.
      if (leadership.node.held || leadership.pool !== undefined) await pool.imageUpdater.round(signal);
    }),
    new Loop({ name: 'unused images', intervalMs: UNUSED_IMAGES_INTERVAL_MS, log }, async () => {
      if (leadership.node.held) await tidyImages(pool);
    }),
    reconciler,
  ];
}

/**
 * Its regular rounds are one process's: those of a node, and those of the pool. Whoever is asked for one of its own
 * reconciles all the same.
 */
function createReconciler(pool: AppParts['pool'], leads: Leadership, asking: Trigger, intervalMs: number): Loop {
  let asked = false;
  const wanted = (): Scope | undefined => {
    if (pool.node.name === NO_NODE) return asked || leads.pool?.held === true ? 'pool' : undefined;
    if (leads.pool !== undefined && (asked || leads.pool.held)) return 'all';
    return asked || leads.node.held ? 'node' : undefined;
  };
  const reconciler = new Loop(
    { name: 'reconciler', intervalMs, minGapMs: Math.min(RECONCILE_GAP_MS, intervalMs), log: pool.log },
    async (signal) => {
      const scope = wanted();
      asked = false;
      if (scope === undefined) pool.observer.driftLeftToOthers();
      else if ((await reconcile(pool, scope, signal)).unfinished) asking.fire();
    },
  );
  asking.subscribe(() => {
    asked = true;
    reconciler.trigger();
  });
  return reconciler;
}

async function tidyImages({ imageStorage: storage, images, ...pool }: AppParts['pool']): Promise<void> {
  if (storage === undefined) return;
  const { imagePins: pins, imageUpdates: updates, pulledImages: pulled } = images;
  await removeUnusedImages({ ...pool, storage, pins, updates, pulled });
}

type Watcher = (signal: AbortSignal) => Promise<void>;

/** Of what instances take of this host; none where nobody can see it. */
function watchers(
  { consumption, memorySharing, databases, ...pool }: AppParts['pool'],
  { containers: { unusedCpu } }: Config,
  leads: Leadership['node'],
): readonly Loop[] {
  if (consumption === undefined) return [];
  const { log } = pool;
  const disk = new DiskWatch({ ...pool, consumption });
  const cpuBounds = new CpuBounds(consumption);
  const processor = new ProcessorWatch({ ...pool, ...unusedCpu, consumption, cpuBounds, steadyClock });
  const crowding = new CrowdingWatch({ ...pool, consumption, cpuBounds, steadyClock });
  const stock = new SwapOutStock({ ...pool, consumption });
  const watch = (name: string, intervalMs: number, round: Watcher, otherwise?: () => Promise<unknown>): Loop =>
    new Loop({ name, intervalMs, log }, async (signal) => {
      await (leads.held ? round(signal) : otherwise?.());
    });
  const watches = [
    watch('crowding watch', CROWDING_INTERVAL_MS, (signal) => crowding.round(signal)),
    watch('disk watch', DISK_INTERVAL_MS, (signal) => disk.round(signal)),
    watch('disk watch, slow visits', DISK_INTERVAL_MS, (signal) => disk.slowRound(signal)),
    // Every process that starts instances has to know whether there is room for them, whatever the watch waits for.
    new Loop({ name: 'storage reserve', intervalMs: DISK_INTERVAL_MS, log }, async () => {
      await pool.storageReserve.look();
    }),
    watch('processor watch', PROCESSOR_INTERVAL_MS, (signal) => processor.round(signal)),
    watch(
      'memory',
      MEMORY_INTERVAL_MS,
      async (signal) => {
        await memorySharing?.round();
        await stock.round(signal);
      },
      async () => memorySharing?.stop(),
    ),
  ];
  if (databases === undefined) return watches;
  const database = new DatabaseWatch({ ...pool, consumption, databases });
  return [...watches, watch('database watch', DATABASES_INTERVAL_MS, (signal) => database.round(signal))];
}

/** What is known of who may have how much, and what is noted of the pools for people who look. */
function entryLoops({ pool, store }: Pick<AppParts, 'pool' | 'store'>): readonly Loop[] {
  const { admission, gate, shares, log } = pool;
  const history = { ...pool, funnel: store.funnel, history: store.poolHistory, turn: store.turns.of('history') };
  return [
    new Loop({ name: 'bans and allowances', intervalMs: ADMISSION_INTERVAL_MS, log }, () => admission.refresh()),
    new Loop({ name: 'gate', intervalMs: GATE_INTERVAL_MS, log }, () => gate.look()),
    new Loop({ name: 'shares of visitors', intervalMs: SHARES_INTERVAL_MS, log }, () => shares.round()),
    new Loop({ name: 'pool history', intervalMs: HISTORY_INTERVAL_MS, log }, () => noteHistory(history)),
  ];
}

function sizeLoops(
  pool: AppParts['pool'],
  { poolSizes, breakers }: AppParts['store'],
  { pool: leads }: Leadership,
): readonly Loop[] {
  if (leads === undefined) return [];
  const sizing = new PoolSizing({ ...pool, poolSizes, breakers, leads });
  return [new Loop({ name: 'pool sizes', intervalMs: SIZES_INTERVAL_MS, log: pool.log }, () => sizing.round())];
}

/** What NATS lost is put back: our streams, and consumers that wait for what the streams no longer have. */
async function keepQueue(connection: QueueConnection, turn: Turn, log: Log): Promise<void> {
  if (!connection.connected) return;
  const { url } = connection;
  const made = await putStreamsBack(connection);
  if (made.length > 0) log.warn({ url, made }, 'NATS lacked streams of ours; they are back');
  const reset = await resetAstrayConsumers(connection, async () => {
    // Only when there is something to reset: whoever has the turn need not be the one that NATS is there for.
    return (await turn.take(QUEUE_INTERVAL_MS)) && (await turn.confirm());
  });
  if (reset.length > 0)
    log.error(
      { url, consumers: reset },
      'NATS lost tasks that its consumers remember, and they handed out nothing any more; they begin again',
    );
}
