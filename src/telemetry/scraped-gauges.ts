import { Gauge, type Registry } from 'prom-client';
import type { PoolStats } from '../pool/ports.ts';

export interface QueueDepths {
  /** By consumer. In flight: handed to a worker and not acknowledged yet, waiting out a pause included. */
  readonly consumers: ReadonlyMap<string, { readonly pending: number; readonly inFlight: number }>;
  /** By stream: tasks that were given up and are kept to be looked at. */
  readonly dead: ReadonlyMap<string, number>;
}

/** Where the values come from that are read at each scrape. */
export interface ScrapeSources {
  /** Rejecting means that Valkey is down. */
  readonly stats?: () => Promise<ReadonlyMap<string, PoolStats>>;
  /** Rejecting means that NATS is down. */
  readonly queue?: () => Promise<QueueDepths>;
  /** Other things we cannot do without, by name; rejecting means down. */
  readonly dependencies?: Readonly<Record<string, () => Promise<unknown>>>;
}

const POOL_HELP: Readonly<Record<keyof PoolStats, string>> = {
  ready: 'Instances that wait for a visitor.',
  assigned: 'Instances that a visitor has.',
  warming: 'Instances that are being started, and places reserved for them.',
  leaving: 'Instances that are being taken down, those whose removal keeps failing included.',
  target: 'Instances that should be ready.',
  capacity: 'Instances that may exist at once.',
};
const POOL_FIGURES = Object.keys(POOL_HELP) as (keyof PoolStats)[];

/** Below the 10 s that Prometheus waits by default, so that a source that hangs costs its own gauges and not the scrape. */
const SOURCE_TIMEOUT_MS = 2_000;

async function within<T>(timeoutMs: number, read: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => { timer = setTimeout(resolve, timeoutMs, undefined); });
  try {
    return await Promise.race([read(), timeout]);
  } catch {
    // Whoever uses the source logs its failures; here its gauges are absent and dependency_up tells.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Gauges that belong to the system rather than to this process. What cannot be read is absent: an old value would pass for the truth. */
export class ScrapedGauges {
  readonly #sources: ScrapeSources;
  readonly #timeoutMs: number;
  readonly #pool: readonly { readonly figure: keyof PoolStats; readonly gauge: Gauge<'template'> }[];
  readonly #pending: Gauge<'consumer'>;
  readonly #inFlight: Gauge<'consumer'>;
  readonly #dead: Gauge<'stream'>;
  readonly #up: Gauge<'dependency'>;

  constructor(registry: Registry, sources: ScrapeSources, timeoutMs = SOURCE_TIMEOUT_MS) {
    const registers = [registry];
    this.#sources = sources;
    this.#timeoutMs = timeoutMs;
    this.#pool = POOL_FIGURES.map((figure) => ({ figure, gauge: new Gauge({ name: `try_it_now_pool_${figure}`, help: POOL_HELP[figure], labelNames: ['template'], registers }) }));
    this.#pending = new Gauge({ name: 'try_it_now_queue_pending', help: 'Tasks that no worker has in hand yet.', labelNames: ['consumer'], registers });
    this.#inFlight = new Gauge({ name: 'try_it_now_queue_in_flight', help: 'Tasks that a worker has in hand, or that wait for their next attempt.', labelNames: ['consumer'], registers });
    this.#dead = new Gauge({ name: 'try_it_now_queue_dead', help: 'Tasks that were given up and are kept to be looked at.', labelNames: ['stream'], registers });
    this.#up = new Gauge({ name: 'try_it_now_dependency_up', help: 'Whether this process could reach what it depends on at this scrape: 1 yes, 0 no.', labelNames: ['dependency'], registers });
  }

  /** Reads all sources at once. Never rejects. */
  async refresh(): Promise<void> {
    const { stats, queue, dependencies = {} } = this.#sources;
    await Promise.all([
      stats === undefined ? undefined : this.#read('valkey', stats).then((found) => this.#setPools(found)),
      queue === undefined ? undefined : this.#read('nats', queue).then((found) => this.#setQueue(found)),
      ...Object.entries(dependencies).map(([name, check]) => this.#read(name, async () => { await check(); return true; })),
    ]);
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
    for (const gauge of [this.#pending, this.#inFlight, this.#dead]) gauge.reset();
    for (const [consumer, { pending, inFlight }] of depths?.consumers ?? []) {
      this.#pending.set({ consumer }, pending);
      this.#inFlight.set({ consumer }, inFlight);
    }
    for (const [stream, count] of depths?.dead ?? []) this.#dead.set({ stream }, count);
  }
}
