import { TryItNowError } from '../domain/errors.ts';
import { registryOf } from '../domain/image-name.ts';
import type { FailedTrial, ReadyTrial, Trial } from '../pool/try-template.ts';
import type { ImageFacts } from '../runtime/engine.ts';
import { AS_ROOT, isRoot } from './as-root.ts';
import { changedDraft, describeChange } from './changed-draft.ts';
import { imageDraft, type Wanted } from './image-draft.ts';
import { memoryLimitFor } from './memory.ts';
import type { Note, TemplateDraft } from './template-yaml.ts';
import type { Trials } from './trials.ts';
import { tryListening } from './try-listening.ts';
import type { TryImageDeps } from './try-image-deps.ts';
import { tryUserChange } from './try-user-change.ts';

/** Told as it goes: long waits show progress. */
export interface TrialProgress {
  readonly onStep: (step: string) => void;
  /** Why it did not come up, and what is tried next. */
  readonly onFailure: (trial: FailedTrial, next: string | undefined) => void;
}

export interface TriedImage {
  readonly draft: TemplateDraft;
  readonly notes: readonly Note[];
  /** The last one; ready, it still runs, and goes with the trials. */
  readonly trial: Trial;
}

/** Each needs one thing more than the one before; an app that needs more than these needs a person. */
const MOST_TRIALS = 8;
/**
 * Tries the image as a template that its own description suggests, changes what keeps it from coming up, and tries
 * again; then once more as servers need it that change their user, and once within the memory that it was seen to
 * take. Throws image_missing, and what `tryTemplate` throws; the caller removes what the trials began.
 */
export async function tryImage(
  deps: TryImageDeps,
  image: string,
  wanted: Wanted,
  { onStep, onFailure }: TrialProgress,
): Promise<TriedImage> {
  const { trials } = deps;
  const facts = await factsOf(deps, image, onStep);
  const proposed = imageDraft(image, facts, wanted);
  const notes = [...proposed.notes];
  let { draft } = proposed;
  // Before a guess, which goes again where it helped nothing.
  let sure: (Pick<TriedImage, 'draft' | 'notes'> & { readonly reason: string }) | undefined;
  for (let count = 1; ; count += 1) {
    onStep(`starting ${image}`);
    let trial = await trials.run(draft);
    if (trial.kind === 'failed' && trial.change?.kind === 'listen') {
      const { reason } = trial;
      const way = await tryListening(trials, facts, draft, trial, onFailure);
      if (way !== undefined) {
        ({ draft, trial } = way);
        notes.push({ key: way.key, text: `Without: ${reason}.` });
      }
    }
    if (trial.kind === 'ready') {
      onStep(`seeing what ${image} needs for good`);
      return measured(trials, await tryUserChange(trials, facts, { draft, notes, trial }));
    }
    const change = trial.change ?? (isRoot(facts.user) ? AS_ROOT : undefined);
    const next = change === undefined ? undefined : changedDraft(draft, change);
    if (change === undefined || next === undefined || count === MOST_TRIALS) {
      onFailure(trial, undefined);
      const { draft: kept, notes: said } = sure?.reason === trial.reason ? sure : { draft, notes };
      return { draft: kept, notes: said, trial };
    }
    sure = trial.change === undefined ? { draft, notes: [...notes], reason: trial.reason } : undefined;
    onFailure(trial, describeChange(change, next));
    if (change.kind === 'capabilities')
      notes.push({ key: 'capabilities', text: `Without: ${trial.reason.replace(/\s+/g, ' ')}` });
    draft = next;
  }
}

/** Of the image, which is fetched where it is not here and its name says from where. Throws image_missing. */
async function factsOf(
  { runtime, inspection, parse, signal }: TryImageDeps,
  image: string,
  onStep: TrialProgress['onStep'],
): Promise<ImageFacts> {
  onStep(`looking at ${image}`);
  if ((await inspection.image(image)) === undefined && registryOf(image) !== undefined) {
    onStep(`fetching ${image}`);
    await runtime.fetchImage?.(image, (soFar) => onStep(`fetching ${image}: ${soFar}`), signal);
  }
  await runtime.prepare([parse({ name: 'trial', image, port: 1, pull: 'never' })]);
  const facts = await inspection.image(image);
  if (facts === undefined)
    throw new TryItNowError('image_missing', `There is no image ${image} here; build or pull it`);
  return facts;
}

/** Once more with a limit made from what it took; the roomy one stays where that is too tight after all. */
async function measured(trials: Trials, tried: TriedImage & { readonly trial: ReadyTrial }): Promise<TriedImage> {
  const { draft, notes, trial } = tried;
  const { memoryBytes } = trial;
  if (memoryBytes === undefined) return tried;
  const memory = memoryLimitFor(memoryBytes);
  const tighter = { ...draft, limits: { ...(draft['limits'] as TemplateDraft), memory } };
  const used = `It took ${Math.round(memoryBytes / 2 ** 20)} MiB when it was ready.`;
  const again = await trials.run(tighter);
  if (again.kind === 'failed')
    return { draft, trial, notes: [...notes, { key: 'limits', text: `${used} With ${memory}: ${again.reason}.` }] };
  await trials.remove(trial.container);
  return { draft: tighter, trial: again, notes: [...notes, { key: 'limits', text: used }] };
}
