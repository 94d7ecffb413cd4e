import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Consumption, StorageRoom } from './interfaces/consumption.ts';
import type { Observer } from './interfaces/observer.ts';

export interface StorageReserveDeps {
  readonly consumption: Pick<Consumption, 'storage'> | undefined;
  /** What stays free of the disk that containers lie on. */
  readonly reserveBytes: number;
  readonly observer: Pick<Observer, 'storage'>;
  readonly log: Log;
}

/** Of a disk's inodes, which run out as its bytes do. */
const FREE_FILES_SHARE = 0.02;

/**
 * Keeps the disk that containers lie on from filling: below its reserve no more instances are made. Those that are
 * there go on, since ending them gains nothing for their visitors.
 */
export class StorageReserve {
  readonly #deps: StorageReserveDeps;
  #low = false;
  #room: StorageRoom | undefined;
  #failing = false;

  constructor(deps: StorageReserveDeps) {
    this.#deps = deps;
  }

  /** As last looked. */
  get low(): boolean {
    return this.#low;
  }

  /** As last looked; undefined where it cannot be seen. */
  get room(): StorageRoom | undefined {
    return this.#room;
  }

  /** Undefined where it cannot be seen; then nothing is known against it. Never throws. */
  async look(): Promise<StorageRoom | undefined> {
    const { consumption, reserveBytes, observer, log } = this.#deps;
    let room: StorageRoom | undefined;
    try {
      room = await consumption?.storage();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) log.debug({ reason: describeError(error) }, 'Nobody can say how full the disk is');
      this.#failing = true;
    }
    this.#room = room;
    if (room === undefined) {
      this.#low = false;
      return undefined;
    }
    const { path, free, total } = room;
    const low = free.bytes < reserveBytes || free.files < total.files * FREE_FILES_SHARE;
    if (low && !this.#low)
      log.error(
        { path, freeBytes: free.bytes, freeFiles: free.files, reserveBytes },
        'The disk that containers lie on is nearly full: no more instances are started until there is room; ' +
          'remove images and checkpoints nobody needs, or move it to a larger disk',
      );
    if (!low && this.#low) log.info({ path, freeBytes: free.bytes }, 'There is room for instances again');
    this.#low = low;
    observer.storage(free.bytes, total.bytes, low);
    return room;
  }
}
