import { describeError } from '../domain/errors.ts';
import type { Instance, ReleaseReason } from '../domain/instance.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface EndAbuseDeps extends ReleaseDeps {
  readonly runtime: Pick<ContainerRuntime, 'remove'>;
  readonly consumption: Pick<Consumption, 'kill'>;
}

/**
 * Ends a visit that takes what others need, its processes at once: every second counts, and the queue may be long.
 * What is left of it is cleaned up as after any visit. Throws engine_unavailable.
 */
export async function endAbuse(deps: EndAbuseDeps, visit: Instance, reason: ReleaseReason): Promise<void> {
  let recorded = true;
  try {
    const ended = await releaseInstance(deps, visit, reason, { from: ['assigned'] });
    if (ended === undefined) return;
  } catch (error) {
    recorded = false;
    // Store and queue may not write any more for want of room, which only its end gives back.
    deps.log.warn(
      { instance: visit.id, reason: describeError(error) },
      'Its end is not recorded yet; its container is removed',
    );
  }
  await deps.consumption.kill(visit.container).catch((error: unknown) => {
    deps.log.debug({ instance: visit.id, reason: describeError(error) }, 'The engine has to end its processes');
  });
  if (!recorded) await deps.runtime.remove(visit.container);
}
