import { withImage, type WatchedImage } from '../domain/image-update.ts';
import type { FoundImage } from '../domain/image-pin.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import { removed } from './checkpoint-command.ts';
import { markOf } from './image-leftovers.ts';
import { tryImage, type ImageVerdict, type TryImageDeps } from './try-image.ts';

export interface TryImageWithDeps {
  readonly trial: Omit<TryImageDeps, 'catalogue' | 'mark' | 'imageName'>;
  readonly catalogue: Pick<Catalogue, 'version'>;
}

/** One failure may be the host's, as of a port that was taken just then. */
const TRIES = 2;
const REASON_LENGTH = 1_000;

/** `made`: the checkpoints made of it, by template. */
export type SharedVerdict =
  | { readonly kind: 'sound'; readonly made: Readonly<Record<string, string>> }
  | { readonly kind: 'refused'; readonly reason: string };

/** One template after the other. Nothing is left of what fails. Throws what is no fault of the image. */
export async function tryImageWith(
  deps: TryImageWithDeps,
  templates: readonly Template[],
  { name }: Pick<WatchedImage, 'name'>,
  found: FoundImage,
  onStep: (step: string) => void,
  signal: AbortSignal,
): Promise<SharedVerdict> {
  const made: Record<string, string> = {};
  for (const template of templates) {
    const say = (step: string): void => onStep(`${template.name}: ${step}`);
    const verdict = await ofTemplate(deps, withImage(template, name, found.id), name, say, signal).catch(
      async (error: unknown) => {
        await discard(deps, made);
        throw error;
      },
    );
    if (verdict.kind === 'refused') {
      await discard(deps, made);
      return { kind: 'refused', reason: `Template ${template.name}: ${verdict.reason}`.slice(0, REASON_LENGTH) };
    }
    if (verdict.promotable !== undefined) made[template.name] = verdict.promotable;
  }
  return { kind: 'sound', made };
}

async function ofTemplate(
  { trial, catalogue }: TryImageWithDeps,
  swapped: Template,
  imageName: string,
  onStep: (step: string) => void,
  signal: AbortSignal,
): Promise<ImageVerdict> {
  const deps: TryImageDeps = {
    ...trial,
    mark: markOf(imageName),
    imageName,
    catalogue: {
      all: () => [swapped],
      get: (wanted) => (wanted === swapped.name ? swapped : undefined),
      version: (wanted) => catalogue.version(wanted),
    },
  };
  for (let attempt = 1; ; attempt += 1) {
    const verdict = await tryImage(deps, swapped, onStep, signal);
    if (verdict.kind === 'sound' || attempt === TRIES) return verdict;
    onStep(`once more, since it failed: ${verdict.reason}`);
  }
}

/** Checkpoints that are nobody's then. */
export async function discard(
  { trial }: Pick<TryImageWithDeps, 'trial'>,
  made: Readonly<Record<string, string>>,
): Promise<void> {
  for (const id of Object.values(made)) await removed(trial, () => trial.checkpointRepository.remove(id));
}
