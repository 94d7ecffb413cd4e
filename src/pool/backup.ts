import { TryItNowError } from '../domain/errors.ts';
import type { BackupContents } from './interfaces/backup-file.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';
import type { Promotions } from './interfaces/promotions.ts';
import type { SavedEvents } from './interfaces/saved-events.ts';
import type { SavedState } from './interfaces/saved-state.ts';

export interface BackupDeps {
  readonly deployment: string;
  readonly templates: readonly string[];
  readonly savedState: SavedState;
  readonly savedEvents: SavedEvents;
  readonly promotions: Pick<Promotions, 'current' | 'promote'>;
  readonly checkpointRepository: Pick<CheckpointRepository, 'list' | 'import'>;
}

/**
 * What nothing makes again by itself, beside whatever server runs; the promoted checkpoints of this node when asked
 * for. Throws store_unavailable, queue_unavailable.
 */
export async function collectBackup(
  deps: BackupDeps,
  options: { readonly checkpoints: boolean; readonly nowMs: number },
): Promise<BackupContents> {
  return {
    deployment: deps.deployment,
    savedAtMs: options.nowMs,
    keys: await deps.savedState.read(),
    events: await deps.savedEvents.read(),
    checkpoints: options.checkpoints ? await promoted(deps) : [],
  };
}

export interface RestorePlan {
  /** What the store has now, and would lose. */
  readonly replaced: readonly string[];
  /** Of another version: left out. */
  readonly unknown: readonly string[];
}

/** Changes nothing. Throws store_unavailable. */
export async function planRestore({ savedState }: BackupDeps, { keys }: BackupContents): Promise<RestorePlan> {
  return {
    replaced: await savedState.names(),
    unknown: keys.filter((each) => !savedState.isSaved(each)).map(({ key }) => key),
  };
}

/**
 * Puts the backup's state in place of what is there, with no server running. Checkpoints come first: they are what can
 * be refused. Safe to repeat after it was cut off. Throws state_in_use without `replace`, checkpoint_damaged,
 * store_unavailable, queue_unavailable.
 */
export async function restoreBackup(
  deps: BackupDeps,
  contents: BackupContents,
  options: { readonly replace: boolean },
): Promise<void> {
  const { replaced } = await planRestore(deps, contents);
  if (replaced.length > 0 && !options.replace)
    throw new TryItNowError(
      'state_in_use',
      `Nothing was restored: this deployment has state of its own in Valkey (${replaced.slice(0, 5).join(', ')}` +
        `${replaced.length > 5 ? ` and ${replaced.length - 5} more` : ''}). Say --replace to have it replaced`,
    );
  for (const { id, archive } of contents.checkpoints) {
    const imported = await deps.checkpointRepository.import(archive);
    if (imported.id !== id)
      throw new TryItNowError(
        'checkpoint_damaged',
        `The checkpoint ${id} of the backup is ${imported.id} in truth; copy the file again from where it was made`,
      );
  }
  await deps.savedEvents.add(contents.events);
  await deps.savedState.replace(contents.keys.filter((each) => deps.savedState.isSaved(each)));
  for (const { template, id } of contents.checkpoints) await deps.promotions.promote(template, id);
}

async function promoted({
  templates,
  promotions,
  checkpointRepository,
}: BackupDeps): Promise<BackupContents['checkpoints']> {
  const current = new Set((await promotions.current(templates)).values());
  if (current.size === 0) return [];
  const here = await checkpointRepository.list();
  return here.flatMap(({ id, archive, metadata }) =>
    metadata !== undefined && current.has(id) ? [{ id, template: metadata.template, archive }] : [],
  );
}
