import { setImmediate as nextTurn } from 'node:timers/promises';
import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { sideBySide } from '../lifecycle/side-by-side.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { endAbuse, type EndAbuseDeps } from './end-abuse.ts';
import type { Consumption, DiskSeen, DiskUse, StorageRoom } from './interfaces/consumption.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { StorageReserve } from './storage-reserve.ts';

export interface WatchDiskDeps extends EndAbuseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'visits'>;
  readonly consumption: Pick<Consumption, 'kill' | 'cpuMs' | 'diskUse'>;
  readonly storageReserve: StorageReserve;
  readonly node: { readonly name: string };
  /** For so long others wait for a look at one visit (2 s): most take some hundredths, with 100,000 files one. */
  readonly patienceMs?: number;
}

/** A look costs some milliseconds, and more only where there is much to find. */
const LOOKS = { inTurn: 8, atSuspects: 56, atOnce: 8, slowAtOnce: 4 };
const PATIENCE_MS = 2_000;
/** Each holds the whole process up while it starts: whoever clicks shall not wait for eight of them. */
const BETWEEN_TURNS_MS = 100;
/** Less processor time than this writes nothing that matters. Room can be reserved without: then the disk tells. */
const RESTING_MS = 5;
/** Whoever rests is looked at all the same after so many rounds. */
const MOST_ROUNDS_APART = 20;
/** In a row, although its processes stood still for each: no app does that, and behind it a disk can be filled. */
const MOST_PARTIAL = 3;
/** In a row that came to nothing: somebody should know of it. */
const MOST_MISSED = 3;

/** Of a visit. */
interface Looked {
  readonly round: number;
  /** What it had used of the processor then; undefined where that cannot be told, or counts no more. */
  readonly cpuMs: number | undefined;
  /** So many looks in a row nobody could tell whether that is all it has written. */
  readonly partial: number;
  /** Nobody waits for looks at it: it was not done within the patience last time. */
  readonly slow: boolean;
  /** So many looks in a row came to nothing at all. */
  readonly missed: number;
}

/** By how much the disk fills until whoever does it is looked for; far below what a limit allows. */
const GROWTH: DiskUse = { bytes: 64 * 2 ** 20, files: 10_000 };
/** For so long it is watched who uses the processor. */
const SAMPLE_MS = 300;

/**
 * Ends the visits that write more than their template allows. Which of thousands to look at, the disk says: while
 * it does not fill, a few take their turn in each round, of those that have used the processor since they were looked
 * at last; when it does, all take their turn, and at once those that use it right now, as whoever writes has to. Visits
 * that take long to look at, as whoever moves files about can see to, have rounds of their own: nobody waits for them.
 */
export class DiskWatch {
  readonly #deps: WatchDiskDeps;
  #round = 0;
  /** By instance. */
  #looked: Map<string, Looked> = new Map();
  /** The disk as it was when somebody was looked for last. */
  #before: StorageRoom | undefined;
  #saidFault = false;
  readonly #patienceMs: number;

  constructor(deps: WatchDiskDeps) {
    this.#deps = deps;
    this.#patienceMs = deps.patienceMs ?? PATIENCE_MS;
  }

  /** Throws store_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { inventory, node, storageReserve } = this.#deps;
    this.#round += 1;
    const grew = this.#grew(await storageReserve.look());
    const all = await inventory.visits(node.name);
    this.#forget(all, grew);
    const visits = all.filter(({ id }) => this.#looked.get(id)?.slow !== true);
    const suspects = grew ? (await this.#byActivity(visits, signal)).slice(0, LOOKS.atSuspects) : [];
    await sideBySide(suspects, LOOKS.atOnce, (visit) => this.#lookInTurn(visit, signal));
    for (const visit of await this.#whoseTurnItIs(visits)) {
      await sleep(BETWEEN_TURNS_MS, signal);
      await this.#lookInTurn(visit, signal);
    }
  }

  /** Looks at those that `round` has left to it. Throws store_unavailable. */
  async slowRound(signal: AbortSignal): Promise<void> {
    const slow = [...this.#looked].filter(([, last]) => last.slow).sort(([, a], [, b]) => a.round - b.round);
    if (slow.length === 0) return;
    const { inventory, node } = this.#deps;
    const visits = new Map((await inventory.visits(node.name)).map((visit) => [visit.id, visit]));
    const there = slow.flatMap(([id]) => visits.get(id) ?? []);
    await sideBySide(there, LOOKS.slowAtOnce, async (visit) => {
      if (await this.#rests(visit)) return;
      const startedMs = performance.now();
      await this.#lookAt(visit, signal, () => performance.now() - startedMs > this.#patienceMs);
    });
  }

  /** Those that are gone; and where somebody fills the disk, that the others were seen to rest. */
  #forget(visits: readonly Instance[], grew: boolean): void {
    const before = this.#looked;
    this.#looked = new Map();
    for (const { id } of visits) {
      const last = before.get(id);
      if (last !== undefined) this.#looked.set(id, grew ? { ...last, cpuMs: undefined } : last);
    }
  }

  /** Who was not looked at for longest comes first. */
  async #whoseTurnItIs(visits: readonly Instance[]): Promise<readonly Instance[]> {
    const roundOf = ({ id }: Instance): number => this.#looked.get(id)?.round ?? 0;
    const due: Instance[] = [];
    for (const visit of visits.filter((each) => roundOf(each) < this.#round).sort((a, b) => roundOf(a) - roundOf(b))) {
      if (due.length === LOOKS.inTurn) break;
      if (!(await this.#rests(visit))) due.push(visit);
    }
    return due;
  }

  async #rests({ id, container }: Instance): Promise<boolean> {
    const last = this.#looked.get(id);
    if (last?.cpuMs === undefined || this.#round - last.round >= MOST_ROUNDS_APART) return false;
    await nextTurn();
    const cpuMs = await this.#cpuMs(container);
    return cpuMs !== undefined && cpuMs - last.cpuMs < RESTING_MS;
  }

  #cpuMs(container: string): Promise<number | undefined> {
    return this.#deps.consumption.cpuMs(container).catch(() => undefined);
  }

  async #lookInTurn(visit: Instance, signal: AbortSignal): Promise<void> {
    const patience = AbortSignal.timeout(this.#patienceMs);
    using either = eitherOf(signal, patience);
    await this.#lookAt(visit, either.signal, () => patience.aborted && !signal.aborted);
  }

  /** `isSlow`: whether it has taken too long, once it is over. */
  async #lookAt(visit: Instance, signal: AbortSignal, isSlow: () => boolean): Promise<void> {
    if (signal.aborted) return;
    // Before the look: what is written while it goes on counts as written after it.
    const cpuMs = await this.#cpuMs(visit.container);
    const { partial: before = 0, missed = 0 } = this.#looked.get(visit.id) ?? {};
    const looked = await this.#look(visit, before, signal).catch((error: unknown) => {
      // Those that are ended from outside are told of nowhere.
      if (!signal.aborted) this.#missed(visit, error, missed + 1);
      return { whole: false, partial: before, missed: signal.aborted ? missed : missed + 1 };
    });
    const { whole, partial } = looked;
    const last = { round: this.#round, cpuMs: whole ? cpuMs : undefined, partial, slow: isSlow() };
    this.#looked.set(visit.id, { ...last, missed: 'missed' in looked ? looked.missed : 0 });
  }

  /** Others are looked at all the same. */
  #missed({ id, container }: Instance, error: unknown, inARow: number): void {
    const { log } = this.#deps;
    const fields = { instance: id, container, reason: describeError(error) };
    if (inARow === MOST_MISSED)
      log.warn(fields, 'Nobody can say what an instance has written, so that limits.disk does not hold for it');
    else log.debug(fields, 'Nobody can say what it has written');
  }

  /** The busiest first. */
  async #byActivity(visits: readonly Instance[], signal: AbortSignal): Promise<Instance[]> {
    const sample = async (): Promise<number[]> =>
      Promise.all(visits.map(async ({ container }) => (await this.#cpuMs(container)) ?? 0));
    const before = await sample();
    await sleep(SAMPLE_MS, signal);
    const after = await sample();
    return visits
      .map((visit, at) => ({ visit, usedMs: (after[at] ?? 0) - (before[at] ?? 0) }))
      .sort((a, b) => b.usedMs - a.usedMs)
      .map(({ visit }) => visit);
  }

  /** Slow growth adds up. */
  #grew(room: StorageRoom | undefined): boolean {
    const before = this.#before;
    if (room === undefined) return false;
    const [bytes, files] = [
      (before?.free.bytes ?? room.free.bytes) - room.free.bytes,
      (before?.free.files ?? room.free.files) - room.free.files,
    ];
    const grew = bytes > GROWTH.bytes || files > GROWTH.files;
    // Where things were removed meanwhile, what is written from now on counts.
    if (before === undefined || grew || bytes < 0) this.#before = room;
    return grew;
  }

  /** `before`: how many looks in a row were partial. */
  async #look(visit: Instance, before: number, signal: AbortSignal): Promise<{ whole: boolean; partial: number }> {
    const most = this.#deps.catalogue.known(visit.template)?.disk;
    const use = most && (await this.#deps.consumption.diskUse(visit.container, most, signal));
    if (most === undefined || use === undefined) return { whole: true, partial: 0 };
    if (use.fault !== undefined) this.#tellFault(visit, use.fault);
    const partial = use.partial ? before + 1 : 0;
    if (use.bytes > most.bytes || use.files > most.files || partial >= MOST_PARTIAL) await this.#end(visit, use, most);
    return { whole: !use.partial, partial };
  }

  /** Nobody's fault who writes there; once, for what it is about does not change. */
  #tellFault({ container }: Instance, reason: string): void {
    if (this.#saidFault) return;
    this.#saidFault = true;
    this.#deps.log.warn(
      { container, reason },
      'A disk cannot be read in part, so that not all is counted that instances write; see what the kernel says of it',
    );
  }

  async #end(visit: Instance, use: DiskSeen, most: DiskUse): Promise<void> {
    const { id, template, container } = visit;
    this.#deps.log.warn(
      {
        instance: id,
        template,
        container,
        bytes: use.bytes,
        files: use.files,
        mostBytes: most.bytes,
        mostFiles: most.files,
      },
      use.partial || use.bytes === Infinity
        ? 'A visitor had its files moved or held open so that nobody can count them; the visit is ended'
        : 'A visitor wrote more than limits.disk or limits.files of the template allows; the visit is ended',
    );
    await endAbuse(this.#deps, visit, 'disk_limit');
  }
}
