import { describeError } from '../domain/errors.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { hasEnded } from './has-ended.ts';
import type { ContainerRuntime, ContainerSummary, Takes } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';

export interface ContainerEventParts extends ReleaseParts {
  readonly runtime: Pick<ContainerRuntime, 'watch' | 'list'>;
  readonly node: { readonly name: string };
  readonly takes: Pick<Takes, 'find'>;
  /** Looks up what was not heard of. */
  readonly compareBooks: () => void;
}

/** A stream of events that has held this long counts as standing. */
const STANDING_MS = 1_000;

/**
 * Takes instances out whose containers end behind our back, for as long as the engine tells of them. Throws when it does not
 * any more; whoever calls again has what happened in between looked up, as soon as the engine tells again.
 */
export async function followContainers(parts: ContainerEventParts, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const standing = AbortSignal.any([signal, over.signal]);
  const missed = sleep(STANDING_MS, standing).then(() => {
    if (!standing.aborted) parts.compareBooks();
  });
  try {
    await parts.runtime.watch((container) => void takeOut(parts, container), signal);
  } finally {
    over.abort();
    await missed;
  }
}

async function takeOut(parts: ContainerEventParts, { name, instanceId }: ContainerSummary): Promise<void> {
  if (instanceId === undefined) return;
  try {
    const view = await parts.takes.find(instanceId);
    // Ours to end: a cleanup, or an attempt at a provision that will notice for itself.
    if (view === undefined || view.instance.container !== name) return;
    const { instance } = view;
    if (instance.state !== 'ready' && instance.state !== 'assigned') return;
    // A stream that is opened anew may tell of an end before the last start under the same name.
    if (!(await hasEnded(parts, instance))) {
      parts.compareBooks();
      return;
    }
    // No generation: a container that is gone does not come back, whatever its visitor does meanwhile.
    const gone = await sendAway(parts, instance, 'container_lost', { from: ['ready', 'assigned'] });
    if (gone !== undefined)
      parts.log.warn(
        { instance: instance.id, container: name, state: instance.state },
        'A container ended by itself; its instance is taken out',
      );
  } catch (error) {
    parts.log.warn(
      { instance: instanceId, container: name, reason: describeError(error) },
      'A container is gone, but its instance could not be looked up; the reconciler will see to it',
    );
    parts.compareBooks();
  }
}
