import { TryItNowError } from '../domain/errors.ts';
import type { PromotionStatus, Promotions } from '../pool/interfaces/promotions.ts';
import { keys } from './keys.ts';
import { FLAG, ROLLBACK_CHECKPOINT } from './script-codes.ts';
import type { Scripts } from './scripts.ts';

/** The current checkpoint and those that a rollback can reach. */
export const CHECKPOINT_HISTORY = 10;

export class ValkeyPromotions implements Promotions {
  readonly #scripts: Scripts;
  readonly #node: string;

  constructor(scripts: Scripts, node: string) {
    this.#scripts = scripts;
    this.#node = node;
  }

  async current(templates: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (templates.length === 0) return new Map();
    const ids = (await this.#scripts.run(
      'current-checkpoints',
      templates.map((name) => keys.checkpoints(name)),
      [],
    )) as string[];
    return new Map(
      templates.flatMap((name, at): [string, string][] => {
        const id = some(ids[at]);
        return id === undefined ? [] : [[name, id]];
      }),
    );
  }

  async status(template: string): Promise<PromotionStatus> {
    const reply = await this.#scripts.run(
      'promotion-status',
      [keys.checkpoints(template), keys.restores(template)],
      [],
    );
    const [[current, ...earlier], proven, failures, withdrawn] = reply as [string[], string, number, string];
    return { current, earlier, proven: proven !== '', failures, withdrawn: some(withdrawn) };
  }

  async promote(
    template: string,
    id: string,
    configured?: 'configured',
  ): Promise<{ readonly changed: boolean; readonly replaced: string | undefined }> {
    const reply = await this.#scripts.run(
      'promote',
      [keys.checkpoints(template), keys.restores(template)],
      [id, configured === undefined ? 0 : 1, CHECKPOINT_HISTORY],
    );
    const [changed, replaced] = reply as [number, string];
    return { changed: changed === FLAG.YES, replaced: some(replaced) };
  }

  async rollback(template: string): Promise<{ readonly from: string; readonly to: string | undefined }> {
    const reply = await this.#scripts.run(
      'rollback-checkpoint',
      [keys.checkpoints(template), keys.restores(template)],
      [],
    );
    if (reply === ROLLBACK_CHECKPOINT.NONE_PROMOTED)
      throw new TryItNowError(
        'no_earlier_checkpoint',
        `No checkpoint of template ${template} is promoted, so there is none to go back from; its instances are ` +
          'started cold already',
      );
    const [from, to] = reply as [string, string];
    return { from, to: some(to) };
  }

  async pausedMs(template: string): Promise<number> {
    return Number(await this.#scripts.run('restore-pause', [keys.checkpoints(template), this.#pause(template)], []));
  }

  async restored(template: string, id: string): Promise<void> {
    await this.#scripts.run(
      'restored',
      [keys.checkpoints(template), keys.restores(template), this.#pause(template)],
      [id],
    );
  }

  async restoreFailed(
    template: string,
    id: string,
  ): Promise<{ readonly pauseMs: number; readonly withdrawn: boolean; readonly current: string | undefined }> {
    const reply = await this.#scripts.run(
      'restore-failed',
      [keys.checkpoints(template), keys.restores(template), this.#pause(template)],
      [id],
    );
    const [pauseMs, withdrawn, current] = reply as [number, number, string];
    return { pauseMs, withdrawn: withdrawn === FLAG.YES, current: some(current) };
  }

  #pause(template: string): string {
    return keys.restorePause(template, this.#node);
  }
}

/** Scripts answer with an empty text for none: a nil would end their list. */
function some(id: string | undefined): string | undefined {
  return id === undefined || id === '' ? undefined : id;
}
