import { createHash } from 'node:crypto';
import type { ImageUpdate } from '../domain/image-update.ts';
import type { Log } from '../domain/log.ts';
import { checkpointsOf } from './former-checkpoints.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { ImageUpdates } from './interfaces/image-updates.ts';
import type { Promotions } from './interfaces/promotions.ts';

interface Trial {
  readonly runtime: Pick<ContainerRuntime, 'list' | 'remove'>;
  readonly checkpointRepository: Pick<CheckpointRepository, 'list' | 'remove'>;
  readonly promotions: Pick<Promotions, 'status'>;
  readonly log: Log;
}

/** In the names of the containers of its trials: a name of an image is none of a container's. */
export function markOf(image: string): string {
  return `canary-${createHash('sha256').update(image).digest('hex').slice(0, 8)}-`;
}

/** What a process that was killed left here, and nobody on this node goes on with. For the start of another one. */
export async function removeLeftovers(
  deps: {
    readonly trial: Trial;
    readonly updates: Pick<ImageUpdates, 'read'>;
    readonly node: { readonly name: string };
  },
  images: readonly { readonly name: string }[],
): Promise<void> {
  // Listed first: whose container is there has said before that it is being tried.
  const listed = await deps.trial.runtime.list();
  const recorded = await deps.updates.read(images.map(({ name }) => name));
  for (const [at, { name }] of images.entries()) {
    const update = recorded[at];
    if (update !== undefined && update.tried?.node !== deps.node.name)
      await removeTrial(deps.trial, name, update, listed);
  }
}

/** The containers of the image's trials, and the checkpoints that were made and went to nobody, nor may again. */
export async function removeTrial(
  { runtime, checkpointRepository, promotions, log }: Trial,
  image: string,
  { former }: Pick<ImageUpdate, 'former'>,
  listed: readonly { readonly name: string }[],
): Promise<void> {
  for (const { name } of listed.filter((each) => each.name.startsWith(`demo-${markOf(image)}`))) {
    log.info({ image, container: name }, 'A container that a trial left behind is removed');
    await runtime.remove(name);
  }
  for (const { id, template, metadata } of await checkpointRepository.list()) {
    // Without a time it went to visitors once, whatever is known of that now.
    if (metadata?.forImage !== image || metadata.keepUntil === undefined) continue;
    const { current, earlier } = await promotions.status(template);
    if ([current, ...earlier, ...checkpointsOf(former)].includes(id)) continue;
    log.info({ image, template, checkpoint: id }, 'A checkpoint that a trial left behind is removed');
    await checkpointRepository.remove(id);
  }
}
