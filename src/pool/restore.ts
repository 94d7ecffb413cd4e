import { standIn as standInAmong } from '../domain/checkpoint-fit.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';
import type { Checkpointing, OpenCheckpoint } from './interfaces/checkpointing.ts';
import type { ContainerSpec } from './interfaces/container-runtime.ts';
import type { Promotions } from './interfaces/promotions.ts';

export interface RestorerOptions {
  readonly checkpointing: Checkpointing;
  readonly checkpointRepository: CheckpointRepository;
  readonly promotions: Promotions;
  readonly log: Log;
}

/** As many as cost a promoted checkpoint its place. */
const STAND_IN_FAILURES = 3;

/** Brings containers up from the promoted checkpoint, and records how that goes. One for each process. */
export class Restorer {
  readonly #options: RestorerOptions;
  /** What was said already, so that a checkpoint that does not fit here costs one line and not one an instance. */
  readonly #told = new Set<string>();
  /** By promoted checkpoint, the one made here that was restored in its place, and its failures in a row. */
  readonly #standIns = new Map<string, { readonly id: string; failures: number }>();

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  /**
   * `restored`: the container runs. Otherwise a cold start is to take its place: `untried`, since nothing fits here or
   * this node has paused after failures; or `failed`, which was then noted and logged. Throws only when aborted.
   */
  async restore(
    template: Template,
    templateVersion: string,
    checkpoint: string,
    spec: ContainerSpec,
    signal: AbortSignal,
  ): Promise<'restored' | 'untried' | 'failed'> {
    const { checkpointing, promotions } = this.#options;
    if ((await promotions.pausedMs(template.name)) > 0) return 'untried';
    const availability = await checkpointing.availability();
    if (!availability.available) {
      this.#tell(
        'no restores',
        { reason: availability.reason },
        'This node cannot restore checkpoints; its instances are started cold',
      );
      return 'untried';
    }
    try {
      const host = await checkpointing.host(template);
      const from = await this.#open(checkpoint, { template: template.name, templateVersion, host });
      await checkpointing.restore(spec, from, signal);
      return 'restored';
    } catch (error) {
      if (signal.aborted) throw error;
      if (!(error instanceof TryItNowError) || error.code !== 'restore_failed') {
        // Missing here, made for another image or kernel, a damaged copy, a disk or an engine that fails: the
        // checkpoint may be sound elsewhere, and what is wrong on this node says nothing against it.
        this.#tell(
          `${template.name} ${checkpoint} ${templateVersion}`,
          { template: template.name, checkpoint, reason: describeError(error) },
          'This node cannot use the promoted checkpoint; its instances are started cold',
        );
        return 'untried';
      }
      await this.failed(template, checkpoint, error);
      return 'failed';
    }
  }

  /** The restored instance came up and was activated. */
  async succeeded(template: Template, checkpoint: string): Promise<void> {
    const standIn = this.#standIns.get(checkpoint);
    if (standIn === undefined) await this.#options.promotions.restored(template.name, checkpoint);
    else standIn.failures = 0;
  }

  /** The restore itself failed, or what it restored does not answer or cannot be activated. */
  async failed(template: Template, checkpoint: string, error: unknown): Promise<void> {
    const { promotions, log } = this.#options;
    const standIn = this.#standIns.get(checkpoint);
    if (standIn !== undefined) {
      await this.#standInFailed(template, checkpoint, standIn, error);
      return;
    }
    const outcome = await promotions.restoreFailed(template.name, checkpoint);
    const fields = { template: template.name, checkpoint, reason: describeError(error), pauseMs: outcome.pauseMs };
    if (outcome.withdrawn)
      log.error(
        { ...fields, current: outcome.current },
        'The checkpoint never restored and was taken out; the one before it, if there is one, takes its place',
      );
    else
      log.warn(
        fields,
        outcome.pauseMs > 0
          ? 'Restore failed again; instances are started cold for a while'
          : 'Restore failed; the instance is started cold',
      );
  }

  /** The promoted one, or what was made here in its place where that does not work. */
  async #open(checkpoint: string, fit: Parameters<CheckpointRepository['open']>[1]): Promise<OpenCheckpoint> {
    const { checkpointRepository } = this.#options;
    try {
      const from = await checkpointRepository.open(checkpoint, fit);
      this.#standIns.delete(checkpoint);
      return from;
    } catch (error) {
      const own = standInAmong(await checkpointRepository.list(), checkpoint, fit);
      if (own === undefined) throw error;
      const from = await checkpointRepository.open(own.id, fit);
      if (this.#standIns.get(checkpoint)?.id !== own.id) this.#standIns.set(checkpoint, { id: own.id, failures: 0 });
      return from;
    }
  }

  /** It says nothing against the promoted one. Whoever made it makes another. */
  async #standInFailed(
    template: Template,
    checkpoint: string,
    standIn: { readonly id: string; failures: number },
    error: unknown,
  ): Promise<void> {
    const { checkpointRepository, log } = this.#options;
    standIn.failures += 1;
    const { id, failures } = standIn;
    const fields = { template: template.name, checkpoint, own: id, reason: describeError(error), failures };
    if (failures < STAND_IN_FAILURES) {
      log.warn(fields, "This node's own checkpoint did not restore; the instance is started cold");
      return;
    }
    this.#standIns.delete(checkpoint);
    await checkpointRepository.remove(id);
    log.error(fields, "This node's own checkpoint keeps failing and was removed; another one will be made");
  }

  #tell(key: string, fields: object, message: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#options.log.warn(fields, message);
  }
}
