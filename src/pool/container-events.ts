import { describeError } from '../domain/errors.ts';
import { eitherOf } from '../lifecycle/either-of.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { ContainerEnds } from './container-ends.ts';
import { hasEnded } from './has-ended.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { ContainerRuntime, ContainerSummary } from './interfaces/container-runtime.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface ContainerEventDeps extends ReleaseDeps {
  readonly runtime: Pick<ContainerRuntime, 'watch' | 'list'>;
  readonly node: { readonly name: string };
  readonly claimStore: Pick<ClaimStore, 'find'>;
  /** Attempts wait for the ends of their own. */
  readonly containerEnds: ContainerEnds;
  /** Looks up what was not heard of. */
  readonly requestReconcile: () => void;
}

/** A stream of events that has held this long counts as stable. */
const STABLE_MS = 1_000;

/**
 * Takes instances out whose containers end behind our back, for as long as the engine tells of them. Throws when it
 * does not any more; anyone who calls again has what happened in between looked up, as soon as the engine tells again.
 */
export async function followContainers(deps: ContainerEventDeps, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  using ended = eitherOf(signal, over.signal);
  const missed = sleep(STABLE_MS, ended.signal).then(() => {
    if (!ended.signal.aborted) deps.requestReconcile();
  });
  try {
    await deps.runtime.watch((container) => {
      deps.containerEnds.tell(container.name);
      void takeOut(deps, container);
    }, signal);
  } finally {
    over.abort();
    await missed;
  }
}

async function takeOut(deps: ContainerEventDeps, { name, instanceId }: ContainerSummary): Promise<void> {
  if (instanceId === undefined) return;
  try {
    const view = await deps.claimStore.find(instanceId);
    // Ours to end: a cleanup, or an attempt at a provision that will notice for itself.
    if (view === undefined || view.instance.container !== name) return;
    const { instance } = view;
    if (instance.state !== 'ready' && instance.state !== 'assigned') return;
    // A stream that is opened again may tell of an end before the last start under the same name.
    if (!(await hasEnded(deps, instance))) {
      deps.requestReconcile();
      return;
    }
    // No generation: a container that is gone does not come back, whatever its visitor does meanwhile.
    const gone = await releaseInstance(deps, instance, 'container_lost', { from: ['ready', 'assigned'] });
    if (gone !== undefined)
      deps.log.warn(
        { instance: instance.id, container: name, state: instance.state },
        'A container ended by itself; its instance is taken out',
      );
  } catch (error) {
    deps.log.warn(
      { instance: instanceId, container: name, reason: describeError(error) },
      'A container is gone, but its instance could not be looked up; the reconciler will see to it',
    );
    deps.requestReconcile();
  }
}
