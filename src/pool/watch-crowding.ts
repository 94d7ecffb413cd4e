import { availableParallelism, cpus as processorsOfHost } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SteadyClock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import { sideBySide } from '../lifecycle/side-by-side.ts';
import type { CpuBounds } from './cpu-bounds.ts';
import { endAbuse, type EndAbuseDeps } from './end-abuse.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { Inventory } from './interfaces/inventory.ts';
import { isThrottled } from './watch-processor.ts';

export interface WatchCrowdingDeps extends EndAbuseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'visits'>;
  readonly consumption: Pick<
    Consumption,
    'kill' | 'cpuMs' | 'outputMs' | 'cpuLimit' | 'cpuShare' | 'weighCpu' | 'refusedProcesses'
  >;
  readonly cpuBounds: CpuBounds;
  readonly steadyClock: SteadyClock;
  readonly node: { readonly name: string };
  /** The host's. */
  readonly processors?: number;
  /** Of all processors of the host together, since it started. */
  readonly processorTimes?: () => ProcessorTimes;
}

interface ProcessorTimes {
  readonly busyMs: number;
  readonly allMs: number;
}

/** They read some small files each; whoever clicks meanwhile gets their turn between them. */
const LOOKS_AT_ONCE = 4;
/**
 * Of a processor: what an app takes whose visitor looks around. Who takes twice that has half the weight. On a crowded
 * host nobody gets much, so that more than a tenth of one would tell nobody apart.
 */
const LIGHT_CPUS = 0.02;
/** Less would leave locks of the kernel with processes that hardly run, and those that are ended would linger. */
const LEAST_SHARE = 1 / 8;
/** Over about so long the use of processors counts. */
const MEMORY_MS = 10_000;

/** Of the host's processors: with more in use, whoever wakes up often has to wait for one. */
const CROWDED = 0.75;
/** With less in use, there is some to give back. */
const SPARE = 0.5;
/** Of the host's processors, for all together who take much while they are short. */
const LEAST_ROOM = 0.1;
/** Of a processor: who uses more shares that room, and has so much of it at least. */
const LEAST_CPUS = 0.05;
const ROOM_GROWS = 1.25;
/** Of what a template says: control groups keep whole microseconds. */
const UNBOUNDED = 0.99;

/** No app asks for processes so often that cannot have any more; bombs do a thousand times. */
const REFUSED_A_SECOND = 50;
/** Bombs that nothing slows down have thousands: each second of one more costs every other visitor. */
const FLAGRANT_A_SECOND = 1_000;
/** Rounds in a row. */
const BOMB_ROUNDS = 2;
/** Of a processor, to read what it writes: hundreds of times what an app takes that logs each request. */
const FLOOD_CPUS = 0.05;
/** Of a processor, and of what the app itself uses: one that does more than write costs a hundredth of that. */
const FLOOD_OF_LITTLE = { cpus: 0.01, ofOwn: 0.25 };
/** Of a processor: less is no bomb's and no flood's. */
const RESTING_CPUS = 0.001;
/** More of them than others lately, so that a burst passes. */
const FLOOD_ROUNDS = 5;

interface Watched {
  readonly atMs: number;
  readonly cpuMs: number | undefined;
  readonly outputMs: number | undefined;
  readonly refused: number | undefined;
  /** Of a processor, over the last while. */
  readonly cpus: number;
  readonly share: number | undefined;
  /** What is left of `limits.cpus` while the host is crowded. */
  readonly bound: number | undefined;
  readonly bombs: number;
  readonly floods: number;
}

type Seen = readonly [visit: Instance, watched: Watched];

/**
 * Keeps visits that take much from keeping the others waiting. Who has used the processors more of late has less weight
 * where they are in demand; and while nearly all of the host's are in use, those share a part that leaves some idle,
 * for whoever only wants one for a moment. Who makes processes without end is ended: the kernel has every other process
 * wait for each of those. So is who floods its output, which the engine reads outside of the instance's limits.
 */
export class CrowdingWatch {
  readonly #deps: WatchCrowdingDeps;
  #watched: ReadonlyMap<string, Watched> = new Map();
  #times: ProcessorTimes | undefined;
  /** Of the host's processors, for all together who take much. */
  #room = 1;

  constructor(deps: WatchCrowdingDeps) {
    this.#deps = deps;
  }

  /** Throws engine_unavailable, store_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { inventory, node, cpuBounds } = this.#deps;
    this.#seeHowCrowded();
    const visits = await inventory.visits(node.name);
    const looks = await sideBySide(visits, LOOKS_AT_ONCE, async (visit): Promise<Seen | undefined> => {
      await nextTurn();
      if (signal.aborted) return undefined;
      // One that nobody can look into now is looked at in the next round.
      const watched = await this.#look(visit).catch(() => undefined);
      return watched === undefined ? undefined : [visit, watched];
    });
    if (signal.aborted) return;
    const seen = looks.filter((each) => each !== undefined);
    const left = await this.#endAbusers(seen);
    const bounded = await this.#makeRoom(left);
    this.#watched = new Map(bounded.map(([{ id }, watched]) => [id, watched]));
    cpuBounds.keepOnly(new Set(visits.map(({ container }) => container)));
  }

  #seeHowCrowded(): void {
    const { processorTimes = timesOfHost } = this.#deps;
    const [before, now] = [this.#times, processorTimes()];
    this.#times = now;
    if (before === undefined || now.allMs <= before.allMs) return;
    const busy = (now.busyMs - before.busyMs) / (now.allMs - before.allMs);
    if (busy > CROWDED) this.#room = Math.max(LEAST_ROOM, this.#room / 2);
    else if (busy < SPARE) this.#room = Math.min(1, this.#room * ROOM_GROWS);
  }

  async #look({ id, template, container }: Instance): Promise<Watched> {
    const { consumption, steadyClock } = this.#deps;
    const last = this.#watched.get(id);
    const atMs = steadyClock.passedMs();
    const passedMs = last === undefined ? 0 : atMs - last.atMs;
    const more = (after: number | undefined, before: number | undefined): number =>
      after === undefined || before === undefined ? 0 : after - before;
    const cpuMs = await consumption.cpuMs(container);
    // Most visitors read, and then there is nothing more to ask the kernel about: whoever makes processes or writes
    // without end uses a processor for it.
    const rests = last !== undefined && cpuMs !== undefined && more(cpuMs, last.cpuMs) < RESTING_CPUS * passedMs;
    const [outputMs, refused] = rests
      ? [last.outputMs, last.refused]
      : await Promise.all([consumption.outputMs(container), consumption.refusedProcesses(container)]);
    const counted = { atMs, cpuMs, outputMs, refused };
    if (last === undefined || passedMs <= 0) {
      const share = await consumption.cpuShare(container);
      return { ...counted, cpus: 0, share, bound: await this.#foundBound(template, container), bombs: 0, floods: 0 };
    }
    const used = more(cpuMs, last.cpuMs) / passedMs;
    const cpus = last.cpus + (used - last.cpus) * Math.min(1, passedMs / MEMORY_MS);
    const share = shareFor(cpus);
    if (share !== last.share) await consumption.weighCpu(container, share);
    const refusedASecond = (more(refused, last.refused) * 1_000) / passedMs;
    const isFlood = floods(more(outputMs, last.outputMs) / passedMs, used);
    return {
      ...counted,
      cpus,
      share,
      bound: last.bound,
      bombs: bombRounds(refusedASecond, last.bombs),
      floods: isFlood ? last.floods + 1 : Math.max(0, last.floods - 1),
    };
  }

  /** By the process that was here before this one. */
  async #foundBound(name: string, container: string): Promise<number | undefined> {
    const [template, limit] = [this.#deps.catalogue.known(name), await this.#deps.consumption.cpuLimit(container)];
    if (template === undefined || limit === undefined || isThrottled(limit, template)) return undefined;
    return limit < template.limits.cpus * UNBOUNDED ? limit : undefined;
  }

  #usual(template: string): number | undefined {
    return this.#deps.catalogue.known(template)?.limits.cpus;
  }

  /** Those that may stay. */
  async #endAbusers(seen: readonly Seen[]): Promise<Seen[]> {
    const isBomb = ([, { bombs }]: Seen): boolean => bombs >= BOMB_ROUNDS;
    const isFlood = ([, { floods }]: Seen): boolean => floods >= FLOOD_ROUNDS;
    // Together: while one of them goes on, another takes long to end.
    await Promise.all(seen.filter(isBomb).map(([visit]) => this.#end(visit, 'process_limit')));
    const floods = seen.filter((each) => isFlood(each) && !isBomb(each));
    await Promise.all(floods.map(([visit]) => this.#end(visit, 'output_limit')));
    return seen.filter((each) => !isBomb(each) && !isFlood(each));
  }

  /** Those that take much share what there is room for. */
  async #makeRoom(seen: readonly Seen[]): Promise<Seen[]> {
    const { processors = availableParallelism() } = this.#deps;
    // One that is bounded uses less than it would.
    const takesMuch = ({ cpus, bound }: Watched): boolean => cpus > (bound === undefined ? LEAST_CPUS : LEAST_CPUS / 2);
    const count = seen.filter(([, watched]) => takesMuch(watched)).length;
    const each = Math.max(LEAST_CPUS, (processors * this.#room) / Math.max(1, count));
    return sideBySide(seen, LOOKS_AT_ONCE, async ([visit, watched]): Promise<Seen> => {
      const usual = this.#usual(visit.template);
      const bound = usual !== undefined && this.#room < 1 && takesMuch(watched) && each < usual ? each : undefined;
      if (usual === undefined || bound === watched.bound) return [visit, watched];
      const set = await this.#deps.cpuBounds.bound(visit.container, usual, 'crowded', bound).then(
        () => bound,
        // The next round tries again.
        () => watched.bound,
      );
      return [visit, { ...watched, bound: set }];
    });
  }

  async #end(visit: Instance, reason: 'process_limit' | 'output_limit'): Promise<void> {
    const { id, template, container } = visit;
    this.#deps.log.warn(
      { instance: id, template, container },
      reason === 'process_limit'
        ? 'An instance had all the processes it may and kept making more, which has the host wait; its visit is ended'
        : 'A visitor had the app write so much output that reading it kept a processor busy; the visit is ended',
    );
    await endAbuse(this.#deps, visit, reason);
  }
}

/** How many rounds speak for a bomb. */
function bombRounds(refusedASecond: number, before: number): number {
  if (refusedASecond >= FLAGRANT_A_SECOND) return BOMB_ROUNDS;
  return refusedASecond >= REFUSED_A_SECOND ? before + 1 : 0;
}

/** Who gets little of the processors writes little, and does nothing else. */
function floods(reading: number, own: number): boolean {
  return reading >= FLOOD_CPUS || (reading >= FLOOD_OF_LITTLE.cpus && reading >= FLOOD_OF_LITTLE.ofOwn * own);
}

/** In halves, so that it is seldom set again. */
function shareFor(cpus: number): number {
  const halves = Math.max(0, Math.round(Math.log2(Math.max(cpus, Number.EPSILON) / LIGHT_CPUS)));
  return Math.max(LEAST_SHARE, 2 ** -halves);
}

function timesOfHost(): ProcessorTimes {
  const times = processorsOfHost().map((each) => each.times);
  const allMs = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
  return { allMs, busyMs: allMs - times.reduce((sum, { idle }) => sum + idle, 0) };
}
