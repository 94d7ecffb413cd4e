import { availableParallelism, loadavg } from 'node:os';
import type { SteadyClock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { CpuBounds } from './cpu-bounds.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { UsageStore } from './interfaces/usage-store.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface WatchProcessorDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'visits'>;
  readonly usageStore: Pick<UsageStore, 'ask'>;
  readonly consumption: Pick<Consumption, 'cpuMs' | 'cpuLimit' | 'isConnected'>;
  readonly cpuBounds: CpuBounds;
  readonly steadyClock: SteadyClock;
  readonly node: { readonly name: string };
  /** Busy and unused for so long, a visit is throttled (ms). */
  readonly throttleAfterMs: number;
  /** And for so long, it ends. */
  readonly endAfterMs: number;
  /** The host's. */
  readonly processors?: number;
  /** How many want one. */
  readonly load?: () => number;
}

/** Of what it may have: above, it is busy. */
const BUSY_SHARE = 0.5;
/** Who uses less of a processor does not keep it from others. */
const ACTIVE_CPUS = 0.05;
/** What is left of `limits.cpus` to one that is throttled. */
export const THROTTLED_SHARE = 0.1;
/** Of a limit: control groups keep whole microseconds. */
const ROUNDING = 0.01;

/** Whether this limit is what is left to one that is throttled, and not a bound of a crowded host. */
export function isThrottled(limit: number | undefined, { limits, unusedCpu }: Template): boolean {
  if (limit === undefined || unusedCpu === 'allow') return false;
  return Math.abs(limit / (limits.cpus * THROTTLED_SHARE) - 1) < ROUNDING;
}

/** A visit as this process has seen it so far. */
interface Watched {
  readonly atMs: number;
  readonly cpuMs: number | undefined;
  /** Since when it has been busy without a pause. */
  readonly busySinceMs: number | undefined;
  readonly throttledSinceMs: number | undefined;
}

interface Seen {
  readonly visit: Instance;
  readonly template: Template;
  readonly cpus: number;
  readonly watched: Watched;
}

/**
 * Looks after what visits compute for nobody. One that keeps its processors busy while nobody uses it is throttled, and
 * later ended; somebody who comes back finds it as it was.
 */
export class ProcessorWatch {
  readonly #deps: WatchProcessorDeps;
  #watched: ReadonlyMap<string, Watched> = new Map();

  constructor(deps: WatchProcessorDeps) {
    this.#deps = deps;
  }

  /** Throws store_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { inventory, node, catalogue } = this.#deps;
    const visits = await inventory.visits(node.name);
    const seen: Seen[] = [];
    for (const visit of visits) {
      const template = catalogue.known(visit.template);
      if (signal.aborted) return;
      // One that nobody can look into now is looked at in the next round.
      const one = template === undefined ? undefined : await this.#see(visit, template).catch(() => undefined);
      if (one !== undefined) seen.push(one);
    }
    const active = seen.filter(({ cpus }) => cpus >= ACTIVE_CPUS).length;
    const judged = seen.map((each) => ({ ...each, watched: this.#judge(each, active) }));
    const now = new Map(judged.map(({ visit, watched }) => [visit.id, watched]));
    this.#watched = now;
    await this.#settle(judged, now);
  }

  async #see(visit: Instance, template: Template): Promise<Seen> {
    const { consumption, steadyClock } = this.#deps;
    const { container } = visit;
    const [last, atMs] = [this.#watched.get(visit.id), steadyClock.passedMs()];
    const cpuMs = await consumption.cpuMs(container);
    const cpus =
      cpuMs === undefined || last?.cpuMs === undefined || atMs <= last.atMs
        ? 0
        : (cpuMs - last.cpuMs) / (atMs - last.atMs);
    const throttledSinceMs = last === undefined ? await this.#foundThrottled(visit, template) : last.throttledSinceMs;
    const watched = { atMs, cpuMs, busySinceMs: last?.busySinceMs, throttledSinceMs };
    return { visit, template, cpus, watched };
  }

  /** By the process that was here before this one. */
  async #foundThrottled({ container }: Instance, template: Template): Promise<number | undefined> {
    const { consumption, cpuBounds, steadyClock } = this.#deps;
    const { cpus } = template.limits;
    if (!isThrottled(await consumption.cpuLimit(container), template)) return undefined;
    await cpuBounds.bound(container, cpus, 'unused', cpus * THROTTLED_SHARE);
    return steadyClock.passedMs();
  }

  /** Where all together want more than the host has, none of them gets as much as it may have. */
  #judge({ visit, cpus, template, watched }: Seen, active: number): Watched {
    const { cpuBounds, processors = availableParallelism(), load = () => loadavg()[0] ?? 0 } = this.#deps;
    const { busySinceMs, throttledSinceMs, atMs } = watched;
    const usual = template.limits.cpus * (throttledSinceMs === undefined ? 1 : THROTTLED_SHARE);
    const may = cpuBounds.of(visit.container, usual);
    const busy = cpus >= BUSY_SHARE * Math.min(may, processors / Math.max(1, active, load()));
    return { ...watched, busySinceMs: busy ? (busySinceMs ?? atMs) : undefined };
  }

  /** From its first busy round on it is asked who is used: of others the store does not remember it. */
  async #settle(seen: readonly Seen[], now: Map<string, Watched>): Promise<void> {
    const { catalogue, usageStore, consumption, throttleAfterMs } = this.#deps;
    const concerned = seen.filter(
      ({ template, watched }) =>
        template.unusedCpu !== 'allow' && (watched.busySinceMs ?? watched.throttledSinceMs) !== undefined,
    );
    for (const template of catalogue.all()) {
      const own = concerned.filter((each) => each.visit.template === template.name);
      if (own.length === 0) continue;
      const { requestsKnown, unused } = await usageStore.ask({
        template: template.name,
        unusedForMs: throttleAfterMs,
        lastsMs: undefined,
        ids: own.map(({ visit }) => visit.id),
      });
      // What nobody can say changes nothing; who is connected is looked at below.
      if (!requestsKnown) continue;
      const unusedIds = new Set(unused.map(({ id }) => id));
      for (const each of own) {
        const { id, container } = each.visit;
        // An app that talks over a WebSocket alone is used, too.
        if (await consumption.isConnected(container, template.port)) now.set(id, await this.#free(each));
        else if (unusedIds.has(id)) now.set(id, await this.#bound(each));
        else if (each.watched.throttledSinceMs !== undefined) now.set(id, await this.#free(each));
      }
    }
  }

  async #bound(seen: Seen): Promise<Watched> {
    const { cpuBounds, observer, log, throttleAfterMs, endAfterMs } = this.#deps;
    const { visit, template, watched } = seen;
    const { atMs, busySinceMs, throttledSinceMs } = watched;
    if (busySinceMs === undefined) return watched;
    if (throttledSinceMs !== undefined) {
      const busyMs = atMs - Math.max(busySinceMs, throttledSinceMs);
      if (busyMs >= endAfterMs - throttleAfterMs && template.unusedCpu === 'end') await this.#end(seen);
      return watched;
    }
    if (atMs - busySinceMs < throttleAfterMs) return watched;
    const { cpus } = template.limits;
    await cpuBounds.bound(visit.container, cpus, 'unused', cpus * THROTTLED_SHARE);
    observer.throttled(visit.template);
    log.warn(
      { instance: visit.id, template: visit.template, container: visit.container, busyMs: atMs - busySinceMs },
      'A visit that nobody uses keeps its processors busy; it is left a tenth of them until somebody uses it',
    );
    return { ...watched, throttledSinceMs: atMs };
  }

  async #free({ visit, template, watched }: Seen): Promise<Watched> {
    if (watched.throttledSinceMs !== undefined) {
      await this.#deps.cpuBounds.bound(visit.container, template.limits.cpus, 'unused');
      this.#deps.log.info({ instance: visit.id, template: visit.template }, 'A throttled visit is used again');
    }
    // The time with its visitor does not count against it once they leave.
    const busySinceMs = watched.busySinceMs === undefined ? undefined : watched.atMs;
    return { ...watched, busySinceMs, throttledSinceMs: undefined };
  }

  async #end({ visit, watched }: Seen): Promise<void> {
    const { generation } = visit;
    const ended = await releaseInstance(this.#deps, visit, 'cpu_limit', { from: ['assigned'], generation });
    if (ended === undefined) return;
    const { id, template, container } = visit;
    this.#deps.log.warn(
      { instance: id, template, container, throttledMs: watched.atMs - (watched.throttledSinceMs ?? watched.atMs) },
      'A visit that nobody uses kept its processors busy even when throttled; it is ended',
    );
  }
}
