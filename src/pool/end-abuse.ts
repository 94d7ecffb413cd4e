import { describeError } from '../domain/errors.ts';
import type { Instance, ReleaseReason } from '../domain/instance.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface EndAbuseDeps extends ReleaseDeps {
  readonly runtime: Pick<ContainerRuntime, 'remove'>;
}

/**
 * Ends a visit that takes what others need, its container first of all: every second counts, and the queue may be long.
 * Throws engine_unavailable.
 */
export async function endAbuse(deps: EndAbuseDeps, visit: Instance, reason: ReleaseReason): Promise<void> {
  try {
    const ended = await releaseInstance(deps, visit, reason, { from: ['assigned'] });
    if (ended === undefined) return;
  } catch (error) {
    // Store and queue may not write any more for want of room, which only its end gives back.
    deps.log.warn(
      { instance: visit.id, reason: describeError(error) },
      'Its end is not recorded yet; its container is removed',
    );
  }
  await deps.runtime.remove(visit.container);
}
