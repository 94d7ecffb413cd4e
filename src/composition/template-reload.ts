import type { Config } from '../config/config.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import { promoteConfigured } from '../pool/checkpoints.ts';
import { TemplateReload, type TemplateReloadDeps } from '../pool/reload-templates.ts';
import type { Store } from '../store/store.ts';
import type { RestoreParts } from './restoring.ts';

/** Without somebody who reads the files again, it goes by what was configured. */
export function createReload({
  config,
  readTemplates,
  ...deps
}: Omit<TemplateReloadDeps, 'read' | 'started'> & {
  readonly config: Pick<Config, 'templates'>;
  readonly readTemplates?: TemplateReloadDeps['read'] | undefined;
}): TemplateReload {
  const started = { templates: config.templates, text: '', warnings: [] };
  return new TemplateReload({ ...deps, started, read: readTemplates ?? (() => started) });
}

/** From here on every node provides each template in this configuration's version, and from its checkpoint. */
export async function announceAll(
  catalogue: Catalogue,
  { promotions, provisioningStore }: Store,
  { checkpointing, checkpointRepository }: RestoreParts,
  log: Log,
): Promise<void> {
  await promoteConfigured({ catalogue, checkpointing, checkpointRepository, promotions, log });
  await Promise.all(
    catalogue.all().map(({ name }) => provisioningStore.announceVersion(name, catalogue.version(name) ?? '')),
  );
}
