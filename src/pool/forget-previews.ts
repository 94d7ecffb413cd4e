import type { Clock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import type { Preview } from '../domain/preview.ts';
import { containerTemplates, hasEnded, type Catalogue } from '../domain/template.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Previews, StoredPreview } from './interfaces/previews.ts';
import type { ProcessRegistry } from './interfaces/process-registry.ts';

export interface ForgetPreviewsDeps {
  readonly catalogue: Catalogue;
  readonly previews: Previews;
  readonly processes: Pick<ProcessRegistry, 'everyone'>;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * One round: of each preview that has ended and that nobody visits any more, nothing stays. Until then it is recorded,
 * so whoever is killed on the way is followed by the next round. Throws store_unavailable.
 */
export async function forgetPreviews(deps: ForgetPreviewsDeps): Promise<void> {
  const stored = await deps.previews.list();
  const leaving = stored.filter(({ preview }) => isTaken(deps, preview) || hasEnded(preview, deps.clock.now()));
  if (leaving.length === 0) return;
  const running = await deps.processes.everyone();
  if (running === undefined) return;
  for (const each of leaving) {
    const { name } = each.preview;
    const taken = isTaken(deps, each.preview);
    // Whoever offers it still would begin another instance.
    if (!taken && running.some(({ templates }) => templates[name] !== undefined)) continue;
    await forget(deps, each, stored, taken);
  }
}

async function forget(
  { catalogue, previews, registry, log }: ForgetPreviewsDeps,
  each: StoredPreview,
  stored: readonly StoredPreview[],
  taken: boolean,
): Promise<void> {
  const { name, image, former = [], from, endsAtMs } = each.preview;
  const used = new Set([
    ...catalogue.all().flatMap((template) => containerTemplates(template).map((container) => container.image)),
    ...stored.filter((other) => other !== each).flatMap(({ preview }) => [preview.image, ...(preview.former ?? [])]),
  ]);
  const nodes = (await registry.nodes()).map((node) => node.name);
  await previews.forgetImages(
    [image, ...former].filter((pinned) => !used.has(pinned)),
    nodes,
  );
  if (!(await previews.forget(each, taken ? 'template' : undefined))) return;
  const ended = new Date(endsAtMs).toISOString();
  if (taken)
    log.warn({ preview: name, from, image }, 'A template of the file has the name of a preview, which is gone');
  else log.info({ preview: name, from, image, ended }, 'A preview is gone, and nothing of it is left');
}

/** By a template of the file. */
function isTaken({ catalogue }: Pick<ForgetPreviewsDeps, 'catalogue'>, { name }: Preview): boolean {
  const template = catalogue.get(name) ?? catalogue.ended(name);
  return template !== undefined && template.previewOf === undefined;
}
