import { Gauge, type Registry } from 'prom-client';
import { SIZE_BOUNDS, SIZE_REASONS, type PoolSize } from '../domain/pool-size.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { POOL_MODES } from '../pool/interfaces/pool-controls.ts';
import type { PoolStats } from '../pool/interfaces/inventory.ts';
import { CatalogueGauge } from './catalogue-gauge.ts';
import { CopyGauges, type StreamCopies } from './copy-gauges.ts';
import { EventGauges, type EventDepths } from './event-gauges.ts';
import { ImageGauges } from './image-gauges.ts';
import { NodeGauges, type FleetFigures } from './node-gauges.ts';
import { ReplicationGauges, type ReplicationFigures } from './replication-gauges.ts';
import type { PoolStatus } from '../pool/pool-status.ts';

export interface QueueDepths {
  /** By consumer. In flight: handed to a worker and not acknowledged yet, waiting out a pause included. */
  readonly consumers: ReadonlyMap<
    string,
    { readonly pending: number; readonly inFlight: number; readonly redelivered: number }
  >;
  /** By stream: dead-lettered tasks and are kept for inspection. */
  readonly dead: ReadonlyMap<string, number>;
  /** Of the oldest task that is not done; 0 while there is none. */
  readonly oldestAgeMs: number;
}

/** Where the values come from that are read at each scrape. */
export interface ScrapeSources {
  /** Rejecting means that Valkey is down. */
  readonly stats?: () => Promise<ReadonlyMap<string, PoolStats>>;
  /** Rejecting means that Valkey is down as well. */
  readonly statuses?: () => Promise<ReadonlyMap<string, PoolStatus>>;
  /** Rejecting means that NATS is down. */
  readonly queue?: () => Promise<QueueDepths>;
  /** How far events have come; absent where nobody is told any. */
  readonly events?: (() => Promise<EventDepths>) | undefined;
  /** Rejecting means that Valkey is down. */
  readonly replication?: () => Promise<ReplicationFigures>;
  /** Rejecting means that Valkey is down. */
  readonly fleet?: () => Promise<FleetFigures>;
  /** By image that is tried first: whether the newest one is refused. Rejecting means that Valkey is down. */
  readonly images?: () => Promise<ReadonlyMap<string, boolean>>;
  /** What the processes that run go by. Rejecting means that Valkey is down. */
  readonly revisions?: () => Promise<ReadonlySet<string>>;
  /** How a cluster of NATS keeps the streams; empty where it is none. */
  readonly copies?: () => Promise<readonly StreamCopies[]>;
  /** By what one process does for all: whether this one does. */
  readonly leads?: () => ReadonlyMap<string, boolean>;
  /** Other things we cannot do without, by name; rejecting means down. */
  readonly dependencies?: Readonly<Record<string, () => Promise<unknown>>>;
}

const POOL_HELP: Readonly<Record<keyof PoolStats, string>> = {
  ready: 'Instances that wait for a visitor.',
  assigned: 'Instances that a visitor has.',
  warming: 'Instances that are being started, and places reserved for them.',
  leaving: 'Instances that are being taken down, those whose removal keeps failing included.',
  waiting: 'Visitors who wait for an instance.',
  target: 'Instances that should be ready.',
  capacity: 'Instances that may exist at once.',
};
const POOL_FIGURES = Object.keys(POOL_HELP) as (keyof PoolStats)[];

/**
 * Below the 10 s that Prometheus waits by default, so that a source that hangs costs its own gauges and not the scrape.
 */
const SOURCE_TIMEOUT_MS = 2_000;

async function within<T>(timeoutMs: number, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await withDeadline(timeoutMs, read(), () => undefined);
  } catch {
    // Anyone who uses the source logs its failures; here its gauges are absent and dependency_up tells.
    return undefined;
  }
}

function poolGauge(registry: Registry, figure: keyof PoolStats): Gauge<'template'> {
  return new Gauge({
    name: `try_it_now_pool_${figure}`,
    help: POOL_HELP[figure],
    labelNames: ['template'],
    registers: [registry],
  });
}

/** What the records and the operators' decisions say of each pool. */
class StatusGauges {
  readonly #mode: Gauge<'template' | 'mode'>;
  readonly #breaker: Gauge<'template'>;
  readonly #quarantined: Gauge<'template'>;
  readonly #oldestIdle: Gauge<'template'>;
  readonly #need: Gauge<'template'>;
  readonly #sizeReason: Gauge<'template' | 'reason'>;
  readonly #sizeBound: Gauge<'template' | 'bound'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#mode = new Gauge({
      name: 'try_it_now_pool_mode',
      help: 'What operators have decided for the pool: 1 for the mode it is in, 0 for the others.',
      labelNames: ['template', 'mode'],
      registers,
    });
    this.#breaker = new Gauge({
      name: 'try_it_now_pool_breaker_open',
      help: 'Whether refills are stopped because they kept failing: 1 yes, 0 no.',
      labelNames: ['template'],
      registers,
    });
    this.#quarantined = new Gauge({
      name: 'try_it_now_pool_quarantined',
      help: 'Instances whose removal keeps failing.',
      labelNames: ['template'],
      registers,
    });
    this.#oldestIdle = new Gauge({
      name: 'try_it_now_pool_oldest_ready_age_seconds',
      help: 'How long the oldest idle instance has been ready, in seconds; 0 while there is none.',
      labelNames: ['template'],
      registers,
    });
    this.#need = new Gauge({
      name: 'try_it_now_pool_need',
      help: 'Instances that a pool that sizes itself would have ready if nothing bounded it.',
      labelNames: ['template'],
      registers,
    });
    this.#sizeReason = new Gauge({
      name: 'try_it_now_pool_size_reason',
      help: 'What a pool that sizes itself goes by: 1 for that, 0 for the others.',
      labelNames: ['template', 'reason'],
      registers,
    });
    this.#sizeBound = new Gauge({
      name: 'try_it_now_pool_size_bound',
      help: 'What keeps a pool that sizes itself smaller than it should be: 1 for that, 0 for the others.',
      labelNames: ['template', 'bound'],
      registers,
    });
  }

  set(statuses: ReadonlyMap<string, PoolStatus> | undefined): void {
    const sizes = [this.#need, this.#sizeReason, this.#sizeBound];
    for (const gauge of [this.#mode, this.#breaker, this.#quarantined, this.#oldestIdle, ...sizes]) gauge.reset();
    for (const [template, { mode, breakerOpen, quarantined, oldestReadyAgeMs, size }] of statuses ?? []) {
      if (size !== undefined) this.#setSize(template, size);
      for (const possible of POOL_MODES) this.#mode.set({ template, mode: possible }, possible === mode ? 1 : 0);
      this.#breaker.set({ template }, breakerOpen ? 1 : 0);
      this.#quarantined.set({ template }, quarantined);
      this.#oldestIdle.set({ template }, oldestReadyAgeMs / 1000);
    }
  }

  #setSize(template: string, { need, reason, bound }: PoolSize): void {
    this.#need.set({ template }, need);
    for (const possible of SIZE_REASONS)
      this.#sizeReason.set({ template, reason: possible }, possible === reason ? 1 : 0);
    for (const possible of SIZE_BOUNDS) this.#sizeBound.set({ template, bound: possible }, possible === bound ? 1 : 0);
  }
}

/**
 * Gauges that belong to the system rather than to this process. What cannot be read is absent: an old value would pass
 * for the truth.
 */
export class ScrapedGauges {
  readonly #sources: ScrapeSources;
  readonly #timeoutMs: number;
  readonly #pool: readonly { readonly figure: keyof PoolStats; readonly gauge: Gauge<'template'> }[];
  readonly #statusGauges: StatusGauges;
  readonly #eventGauges: EventGauges;
  readonly #replicationGauges: ReplicationGauges;
  readonly #nodeGauges: NodeGauges;
  readonly #copyGauges: CopyGauges;
  readonly #imageGauges: ImageGauges;
  readonly #catalogueGauge: CatalogueGauge;
  readonly #pending: Gauge<'consumer'>;
  readonly #inFlight: Gauge<'consumer'>;
  readonly #redelivered: Gauge<'consumer'>;
  readonly #oldest: Gauge;
  readonly #dead: Gauge<'stream'>;
  readonly #up: Gauge<'dependency'>;
  readonly #leader: Gauge<'role'>;

  constructor(registry: Registry, sources: ScrapeSources, timeoutMs = SOURCE_TIMEOUT_MS) {
    const registers = [registry];
    [this.#sources, this.#timeoutMs] = [sources, timeoutMs];
    this.#pool = POOL_FIGURES.map((figure) => ({ figure, gauge: poolGauge(registry, figure) }));
    this.#statusGauges = new StatusGauges(registry);
    this.#eventGauges = new EventGauges(registry);
    this.#replicationGauges = new ReplicationGauges(registry);
    this.#nodeGauges = new NodeGauges(registry);
    this.#copyGauges = new CopyGauges(registry);
    this.#imageGauges = new ImageGauges(registry);
    this.#catalogueGauge = new CatalogueGauge(registry);
    this.#pending = new Gauge({
      name: 'try_it_now_queue_pending',
      help: 'Tasks that no worker has in hand yet.',
      labelNames: ['consumer'],
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'try_it_now_queue_in_flight',
      help: 'Tasks that a worker has in hand, or that wait for their next attempt.',
      labelNames: ['consumer'],
      registers,
    });
    this.#redelivered = new Gauge({
      name: 'try_it_now_queue_redelivered',
      help: 'Tasks not done yet that were handed out more than once.',
      labelNames: ['consumer'],
      registers,
    });
    this.#oldest = new Gauge({
      name: 'try_it_now_queue_oldest_task_age_seconds',
      help: 'Age of the oldest task that is not done, in seconds; 0 while there is none.',
      registers,
    });
    this.#dead = new Gauge({
      name: 'try_it_now_queue_dead',
      help: 'Dead-lettered tasks, kept to be inspected.',
      labelNames: ['stream'],
      registers,
    });
    this.#up = new Gauge({
      name: 'try_it_now_dependency_up',
      help: 'Whether this process could reach what it depends on at this scrape: 1 yes, 0 no.',
      labelNames: ['dependency'],
      registers,
    });
    this.#leader = new Gauge({
      name: 'try_it_now_leader',
      help: 'Whether this process does what one does for all that share the work: 1 yes, 0 no.',
      labelNames: ['role'],
      registers,
    });
  }

  /** Reads all sources at once. Never rejects. */
  async refresh(): Promise<void> {
    const { stats, statuses, queue, leads, dependencies = {} } = this.#sources;
    for (const [task, held] of leads?.() ?? []) this.#leader.set({ role: task }, held ? 1 : 0);
    await Promise.all([
      stats === undefined
        ? undefined
        : this.#read('valkey', () => Promise.all([stats(), statuses?.()])).then((found) => {
            this.#setPools(found?.[0]);
            this.#statusGauges.set(found?.[1]);
          }),
      ...this.#apart(),
      queue === undefined ? undefined : this.#read('nats', queue).then((found) => this.#setQueue(found)),
      ...Object.entries(dependencies).map(([name, check]) =>
        this.#read(name, async () => {
          await check();
          return true;
        }),
      ),
    ]);
  }

  /** What costs its own gauges alone where it cannot be read. */
  #apart(): readonly Promise<void>[] {
    const { events, replication, fleet, copies, images, revisions } = this.#sources;
    const show = async <T>(
      read: (() => Promise<T>) | undefined,
      gauges: { set(found: T | undefined): void },
    ): Promise<void> => {
      if (read !== undefined) gauges.set(await within(this.#timeoutMs, read));
    };
    return [
      show(events, this.#eventGauges),
      show(replication, this.#replicationGauges),
      show(fleet, this.#nodeGauges),
      show(copies, this.#copyGauges),
      show(images, this.#imageGauges),
      show(revisions, this.#catalogueGauge),
    ];
  }

  async #read<T>(dependency: string, read: () => Promise<T>): Promise<T | undefined> {
    const found = await within(this.#timeoutMs, read);
    this.#up.set({ dependency }, found === undefined ? 0 : 1);
    return found;
  }

  #setPools(stats: ReadonlyMap<string, PoolStats> | undefined): void {
    for (const { figure, gauge } of this.#pool) {
      gauge.reset();
      for (const [template, figures] of stats ?? []) gauge.set({ template }, figures[figure]);
    }
  }

  #setQueue(depths: QueueDepths | undefined): void {
    for (const gauge of [this.#pending, this.#inFlight, this.#redelivered, this.#dead]) gauge.reset();
    // Unlike those with labels, a gauge without any is 0 after a reset.
    if (depths === undefined) this.#oldest.remove();
    else this.#oldest.set(depths.oldestAgeMs / 1000);
    for (const [consumer, { pending, inFlight, redelivered }] of depths?.consumers ?? []) {
      this.#pending.set({ consumer }, pending);
      this.#inFlight.set({ consumer }, inFlight);
      this.#redelivered.set({ consumer }, redelivered);
    }
    for (const [stream, count] of depths?.dead ?? []) this.#dead.set({ stream }, count);
  }
}
