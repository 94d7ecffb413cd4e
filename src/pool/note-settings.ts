import type { CheckpointMetadata } from '../domain/checkpoint.ts';
import { earlierVersions, settingsVersion, templateVersion, type Catalogue } from '../domain/template.ts';
import type { CheckpointOffers } from './interfaces/checkpoint-offers.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';

/**
 * Has checkpoints of this very version, or of one that an earlier program gave the same settings, say by which settings
 * of operators they were made, here and on offer: programs before this have not written it down, and nobody can tell
 * once the version is another. Throws store_unavailable.
 */
export async function noteSettings({
  checkpointRepository,
  offers,
  catalogue,
}: {
  readonly checkpointRepository: Pick<CheckpointRepository, 'list' | 'mark'>;
  readonly offers: Pick<CheckpointOffers, 'list' | 'offer'>;
  readonly catalogue: Pick<Catalogue, 'get'>;
}): Promise<void> {
  const missing = (metadata: CheckpointMetadata | undefined): string | undefined => {
    if (metadata === undefined || metadata.settingsVersion !== undefined) return undefined;
    const template = catalogue.get(metadata.template);
    if (template === undefined) return undefined;
    const known = [templateVersion(template), ...earlierVersions(template)];
    return known.includes(metadata.templateVersion) ? settingsVersion(template) : undefined;
  };
  for (const { id, metadata, problem } of await checkpointRepository.list()) {
    // Of one with a problem the archive may be on its way here.
    const settings = problem === undefined ? missing(metadata) : undefined;
    if (settings !== undefined) await checkpointRepository.mark(id, { settingsVersion: settings });
  }
  for (const offer of (await offers.list()).values()) {
    const settings = missing(offer.metadata);
    if (settings !== undefined)
      await offers.offer({ ...offer, metadata: { ...offer.metadata, settingsVersion: settings } });
  }
}
