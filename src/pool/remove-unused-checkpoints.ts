import type { CheckpointMetadata } from '../domain/checkpoint.ts';
import type { Clock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import { formerCheckpoints, type FormerCheckpointsDeps } from './former-checkpoints.ts';
import type { CheckpointRepository, StoredCheckpoint } from './interfaces/checkpoint-repository.ts';
import type { Promotions } from './interfaces/promotions.ts';

export interface RemoveUnusedDeps extends FormerCheckpointsDeps {
  readonly checkpointRepository: Pick<CheckpointRepository, 'list' | 'mark' | 'remove'>;
  readonly promotions: Pick<Promotions, 'status'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** An archive whose metadata somebody still copies here; a kill left others. */
const LONE_KEPT_MS = 3_600_000;
/**
 * What nobody knows any more goes so late, and not at once: a Valkey that lost its data names none, and a rollback may
 * be taken back.
 */
const UNUSED_KEPT_MS = 7 * 24 * 3_600_000;

/** Where a checkpoint stands with its template: `next`: the next rollback leads to it, `later`: another one does. */
type Use = 'current' | 'next' | 'later' | 'former' | 'unknown';

/**
 * What came by itself goes by itself, once two others have taken its place, or a week after neither its template nor
 * its image leads to it. What was to be promoted and was not goes when its time is over, because whoever made it was
 * killed. What was promoted once is an operator's, and stays. Throws store_unavailable.
 */
export async function removeUnused(deps: RemoveUnusedDeps): Promise<void> {
  const { checkpointRepository, promotions, log } = deps;
  const former = await formerCheckpoints(deps);
  /** What has one of its own here in its place. Should the clock tell the newest wrongly, another one is made. */
  const replaced = new Set<string>();
  for (const stored of await checkpointRepository.list()) {
    const { id, template, metadata, problem } = stored;
    const promoted = problem === undefined ? metadata?.standsFor : undefined;
    if (promoted !== undefined && replaced.has(promoted)) {
      await checkpointRepository.remove(id);
      log.info({ template, checkpoint: id }, 'Removed a checkpoint of this node that it has a newer one for');
      continue;
    }
    if (promoted !== undefined) replaced.add(promoted);
    if (metadata !== undefined && isMadeByHand(metadata)) continue;
    const { current, earlier } = await promotions.status(template);
    const use = useOf(stored, { current, earlier, former });
    if (await isToGo(deps, stored, use, current !== undefined)) {
      await checkpointRepository.remove(id);
      log.info({ template, checkpoint: id }, 'Removed a checkpoint that no template is restored from');
    }
  }
}

/** Also writes down what was found out, for the next round. */
async function isToGo(
  { checkpointRepository, clock }: RemoveUnusedDeps,
  { id, metadata, loneSinceMs, hereSinceMs }: StoredCheckpoint,
  use: Use,
  isRestored: boolean,
): Promise<boolean> {
  const nowMs = clock.now();
  if (metadata === undefined)
    return use === 'unknown' && loneSinceMs !== undefined && nowMs - loneSinceMs > LONE_KEPT_MS;
  // Somebody copies it here, and began with the metadata.
  if (hereSinceMs === undefined) return false;
  if (metadata.keepUntil !== undefined) {
    const untilMs = Date.parse(metadata.keepUntil);
    // What came here after that was copied from where it had been promoted.
    if (use === 'unknown' && hereSinceMs <= untilMs) return nowMs >= untilMs;
    await checkpointRepository.mark(id, { keepUntil: undefined });
    return false;
  }
  if (use === 'later') return true;
  if (use !== 'unknown') {
    if (metadata.unusedSince !== undefined) await checkpointRepository.mark(id, { unusedSince: undefined });
    return false;
  }
  // Where nothing is promoted, it may be Valkey that has forgotten what was.
  if (!isRestored) return false;
  if (metadata.unusedSince !== undefined) return nowMs - Date.parse(metadata.unusedSince) > UNUSED_KEPT_MS;
  await checkpointRepository.mark(id, { unusedSince: new Date(nowMs).toISOString() });
  return false;
}

/** By its own id, or by that of the one that it stands for. */
function useOf(
  { id, metadata }: StoredCheckpoint,
  found: {
    readonly current: string | undefined;
    readonly earlier: readonly string[];
    readonly former: ReadonlySet<string>;
  },
): Use {
  const ids = [id, metadata?.standsFor].filter((each) => each !== undefined);
  const { current, earlier, former } = found;
  const [next] = earlier;
  if (current !== undefined && ids.includes(current)) return 'current';
  if (next !== undefined && ids.includes(next)) return 'next';
  if (ids.some((each) => former.has(each))) return 'former';
  return ids.some((each) => earlier.includes(each)) ? 'later' : 'unknown';
}

/** An operator may go back by several of their own; other ones fit to images that are gone by then. */
function isMadeByHand({ fetched, standsFor, forImage, keepUntil }: CheckpointMetadata): boolean {
  return fetched === undefined && standsFor === undefined && forImage === undefined && keepUntil === undefined;
}
