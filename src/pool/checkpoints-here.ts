import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';

/** Well within the life of the heartbeat that waits for it. */
const LOOK_MS = 2_000;

/**
 * Which checkpoints this node can restore from, for others to know. A folder that cannot be read, or a disk that does
 * not answer, costs the node its checkpoints and nothing else: instances are started cold there.
 */
export class CheckpointsHere {
  readonly #repository: Pick<CheckpointRepository, 'list'>;
  readonly #log: Log;
  readonly #lookMs: number;
  /** One at a time: each that hangs takes a thread from all that read files. */
  #look: Promise<readonly string[]> | undefined;
  #failing = false;

  constructor(repository: Pick<CheckpointRepository, 'list'>, log: Log, lookMs = LOOK_MS) {
    this.#repository = repository;
    this.#log = log;
    this.#lookMs = lookMs;
  }

  /** Newest first; none while nobody can tell. Never throws. */
  async ids(): Promise<readonly string[]> {
    this.#look ??= this.#list().finally(() => (this.#look = undefined));
    try {
      const ids = await withDeadline(this.#lookMs, this.#look, () => {
        throw new Error(`its disk did not answer within ${this.#lookMs} ms`);
      });
      if (this.#failing) this.#log.info({}, 'The folder of checkpoints can be read again');
      this.#failing = false;
      return ids;
    } catch (error) {
      if (!this.#failing)
        this.#log.error(
          { reason: describeError(error) },
          'The folder of checkpoints cannot be read; until it can, instances are started cold on this node',
        );
      this.#failing = true;
      return [];
    }
  }

  async #list(): Promise<readonly string[]> {
    const stored = await this.#repository.list();
    return stored.filter(({ problem }) => problem === undefined).map(({ id }) => id);
  }
}
