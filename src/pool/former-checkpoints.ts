import { watchedImages, type FormerImage } from '../domain/image-update.ts';
import type { Catalogue } from '../domain/template.ts';
import type { ImageUpdates } from './interfaces/image-updates.ts';

export interface FormerCheckpointsDeps {
  readonly catalogue: Pick<Catalogue, 'all'>;
  readonly updates: Pick<ImageUpdates, 'read'>;
}

/**
 * Those that become current again when an operator goes forward to the image that they were made of. No history of
 * checkpoints has them. Throws store_unavailable.
 */
export async function formerCheckpoints({ catalogue, updates }: FormerCheckpointsDeps): Promise<ReadonlySet<string>> {
  const recorded = await updates.read(watchedImages(catalogue.all()).map(({ name }) => name));
  return new Set(recorded.flatMap(({ former }) => checkpointsOf(former)));
}

export function checkpointsOf(former: FormerImage | undefined): readonly string[] {
  return Object.values(former?.dropped ?? {});
}
