import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import { sideBySide } from '../lifecycle/side-by-side.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { endAbuse, type EndAbuseDeps } from './end-abuse.ts';
import type { Consumption, DiskUse, StorageRoom } from './interfaces/consumption.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { StorageReserve } from './storage-reserve.ts';

export interface WatchDiskDeps extends EndAbuseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'visits'>;
  readonly consumption: Pick<Consumption, 'kill' | 'cpuMs' | 'diskUse'>;
  readonly storageReserve: StorageReserve;
  readonly node: { readonly name: string };
}

/** A look costs some milliseconds, and more only where there is much to find. */
const LOOKS = { inTurn: 8, atSuspects: 56, atOnce: 8 };
/** By how much the disk fills until whoever does it is looked for; far below what a limit allows. */
const GROWTH: DiskUse = { bytes: 64 * 2 ** 20, files: 10_000 };
/** For so long it is watched who uses the processor. */
const SAMPLE_MS = 300;

/**
 * Ends the visits that write more than their template allows. Which of thousands to look at, the disk says: while
 * it does not fill, a few take their turn in each round; when it does, those come as well that use the processor, as
 * whoever writes has to.
 */
export class DiskWatch {
  readonly #deps: WatchDiskDeps;
  #round = 0;
  /** In which round each visit was looked at last, by instance. */
  #looked: ReadonlyMap<string, number> = new Map();
  /** The disk as it was when somebody was looked for last. */
  #before: StorageRoom | undefined;

  constructor(deps: WatchDiskDeps) {
    this.#deps = deps;
  }

  /** Throws store_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { inventory, node, storageReserve } = this.#deps;
    this.#round += 1;
    const grew = this.#grew(await storageReserve.look());
    const visits = await inventory.visits(node.name);
    const turn = ({ id }: Instance): number => this.#looked.get(id) ?? 0;
    const inTurn = visits.sort((a, b) => turn(a) - turn(b)).slice(0, LOOKS.inTurn);
    const suspects = grew ? (await this.#byActivity(visits, signal)).slice(0, LOOKS.atSuspects) : [];
    const looked = new Map(visits.map((visit) => [visit.id, turn(visit)]));
    await sideBySide([...new Set([...suspects, ...inTurn])], LOOKS.atOnce, async (visit) => {
      if (signal.aborted) return;
      looked.set(visit.id, this.#round);
      await this.#look(visit, signal).catch((error: unknown) => {
        if (!signal.aborted) this.#missed(visit, error);
      });
    });
    this.#looked = looked;
  }

  /** Others are looked at all the same. */
  #missed({ id, container }: Instance, error: unknown): void {
    this.#deps.log.debug(
      { instance: id, container, reason: describeError(error) },
      'Nobody can say what it has written',
    );
  }

  /** The busiest first. */
  async #byActivity(visits: readonly Instance[], signal: AbortSignal): Promise<Instance[]> {
    const sample = async (): Promise<number[]> =>
      Promise.all(
        visits.map(async ({ container }) => (await this.#deps.consumption.cpuMs(container).catch(() => 0)) ?? 0),
      );
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

  async #look(visit: Instance, signal: AbortSignal): Promise<void> {
    const most = this.#deps.catalogue.known(visit.template)?.disk;
    if (most === undefined) return;
    const use = await this.#deps.consumption.diskUse(visit.container, most, signal);
    if (use === undefined || (use.bytes <= most.bytes && use.files <= most.files)) return;
    await this.#end(visit, use, most);
  }

  async #end(visit: Instance, use: DiskUse, most: DiskUse): Promise<void> {
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
      'A visitor wrote more than limits.disk or limits.files of the template allows; the visit is ended',
    );
    await endAbuse(this.#deps, visit, 'disk_limit');
  }
}
