import type { Clock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import { endAbuse, type EndAbuseDeps } from './end-abuse.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { Inventory } from './interfaces/inventory.ts';

export interface WatchCrowdingDeps extends EndAbuseDeps {
  readonly inventory: Pick<Inventory, 'visits'>;
  readonly consumption: Pick<Consumption, 'cpuMs' | 'cpuShare' | 'weighCpu' | 'refusedProcesses'>;
  readonly clock: Clock;
  readonly node: { readonly name: string };
}

/** Of a processor: what an app takes whose visitor looks around. Who takes twice that has half the weight. */
const LIGHT_CPUS = 0.1;
/** Less would leave locks of the kernel with processes that hardly run, and those that are ended would linger. */
const LEAST_SHARE = 1 / 8;
/** Over about so long the use of processors counts. */
const MEMORY_MS = 10_000;
/** No app asks for processes so often that cannot have any more; bombs do a thousand times. */
const REFUSED_A_SECOND = 50;
/** Rounds in a row. */
const BOMB_ROUNDS = 2;

interface Watched {
  readonly atMs: number;
  readonly cpuMs: number | undefined;
  readonly refused: number | undefined;
  /** Of a processor, over the last while. */
  readonly cpus: number;
  readonly share: number | undefined;
  readonly bombs: number;
}

/**
 * Keeps visits that take much from keeping the others waiting. Who has used the processors more of late has less weight
 * where they are in demand, and all that nobody else wants. Who makes processes without end is ended: the kernel has
 * every other process wait for each of those.
 */
export class CrowdingWatch {
  readonly #deps: WatchCrowdingDeps;
  #watched: ReadonlyMap<string, Watched> = new Map();

  constructor(deps: WatchCrowdingDeps) {
    this.#deps = deps;
  }

  /** Throws engine_unavailable, store_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { inventory, node } = this.#deps;
    const visits = await inventory.visits(node.name);
    const now = new Map<string, Watched>();
    const bombs: Instance[] = [];
    for (const visit of visits) {
      if (signal.aborted) return;
      // One that nobody can look into now is looked at in the next round.
      const watched = await this.#look(visit).catch(() => undefined);
      if (watched === undefined) continue;
      now.set(visit.id, watched);
      if (watched.bombs >= BOMB_ROUNDS) bombs.push(visit);
    }
    this.#watched = now;
    // Together: while one of them goes on, the engine takes its time to remove another.
    await Promise.all(bombs.map((visit) => this.#end(visit)));
  }

  async #look({ id, container }: Instance): Promise<Watched> {
    const { consumption, clock } = this.#deps;
    const last = this.#watched.get(id);
    const atMs = clock.now();
    const [cpuMs, refused] = [await consumption.cpuMs(container), await consumption.refusedProcesses(container)];
    const passedMs = last === undefined ? 0 : atMs - last.atMs;
    const more = (after: number | undefined, before: number | undefined): number =>
      after === undefined || before === undefined ? 0 : after - before;
    if (last === undefined || passedMs <= 0) {
      return { atMs, cpuMs, refused, cpus: 0, bombs: 0, share: await consumption.cpuShare(container) };
    }
    const used = more(cpuMs, last.cpuMs) / passedMs;
    const cpus = last.cpus + (used - last.cpus) * Math.min(1, passedMs / MEMORY_MS);
    const share = shareFor(cpus);
    if (share !== last.share) await consumption.weighCpu(container, share);
    const isBomb = more(refused, last.refused) >= (REFUSED_A_SECOND * passedMs) / 1_000;
    return { atMs, cpuMs, refused, cpus, share, bombs: isBomb ? last.bombs + 1 : 0 };
  }

  async #end(visit: Instance): Promise<void> {
    const { id, template, container } = visit;
    this.#deps.log.warn(
      { instance: id, template, container },
      'An instance had all the processes it may and kept making more, which has the host wait; its visit is ended',
    );
    // So many processes do not end before each of them has run once more.
    await this.#deps.consumption.weighCpu(container, 1).catch(() => undefined);
    await endAbuse(this.#deps, visit, 'process_limit');
  }
}

/** In halves, so that it is seldom set anew. */
function shareFor(cpus: number): number {
  const halves = Math.max(0, Math.round(Math.log2(Math.max(cpus, Number.EPSILON) / LIGHT_CPUS)));
  return Math.max(LEAST_SHARE, 2 ** -halves);
}
