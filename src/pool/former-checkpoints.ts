import { watchedImages, type ImageUpdate } from '../domain/image-update.ts';
import type { Catalogue } from '../domain/template.ts';
import type { ImageUpdates } from './interfaces/image-updates.ts';

export interface FormerCheckpointsDeps {
  readonly catalogue: Pick<Catalogue, 'all'>;
  readonly updates: Pick<ImageUpdates, 'read'>;
}

/**
 * Those that become current when an operator goes forward again to the image that they were made of, or when that has
 * passed its trial on all hosts. No history of checkpoints has them. Throws store_unavailable.
 */
export async function formerCheckpoints({ catalogue, updates }: FormerCheckpointsDeps): Promise<ReadonlySet<string>> {
  const recorded = await updates.read(watchedImages(catalogue.all()).map(({ name }) => name));
  return new Set(recorded.flatMap(checkpointsOf));
}

export function checkpointsOf({ former, passed }: Pick<ImageUpdate, 'former' | 'passed'>): readonly string[] {
  const made = Object.values(passed?.templates ?? {}).flatMap(({ checkpoint }) => checkpoint ?? []);
  return [...Object.values(former?.dropped ?? {}), ...made];
}
