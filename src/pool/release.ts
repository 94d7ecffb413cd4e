import { describeError } from '../domain/errors.ts';
import type { Instance, ReleaseReason } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { ShareWatch } from './share-watch.ts';
import { DIRECT_SITE } from '../domain/visit-event.ts';
import { TASK_VERSION } from '../domain/task.ts';
import { find } from './find.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { CleanupStore, ReleaseGuard } from './interfaces/cleanup-store.ts';
import type { Observer } from './interfaces/observer.ts';
import type { TaskQueue } from './interfaces/task-queue.ts';

export interface ReleaseDeps {
  readonly cleanupStore: CleanupStore;
  readonly queue: TaskQueue;
  readonly observer: Observer;
  readonly log: Log;
  /** Absent: nobody is told of who takes how much. */
  readonly shares?: Pick<ShareWatch, 'noteEnded'>;
  /** Called when the number of idle instances went down, was found empty, or room for more came free. */
  readonly requestRefill: () => void;
}

/** → releasing, and its cleanup is queued without being waited for. Undefined when the guard did not let it. */
export async function releaseInstance(
  deps: ReleaseDeps,
  instance: Instance,
  reason: ReleaseReason,
  guard: ReleaseGuard,
): Promise<Instance | undefined> {
  const outcome = await deps.cleanupStore.release(instance, reason, guard);
  if (outcome.kind === 'unchanged') return undefined;
  deps.observer.release(instance.template, reason);
  if (instance.state === 'assigned') {
    deps.observer.visitStep(instance.template, instance.site ?? DIRECT_SITE, 'ended');
    deps.shares?.noteEnded(outcome.instance);
  }
  queueCleanup(deps, outcome.instance);
  if (instance.state === 'ready') deps.requestRefill();
  return outcome.instance;
}

/** A click that comes meanwhile has so many before it at the store, a few milliseconds' work. */
const RELEASED_AT_ONCE = 50;

/** Each of them that has not changed since it was read, some after the others: they may be all that a pool holds. */
export async function releaseEach(
  deps: ReleaseDeps,
  instances: readonly Instance[],
  reason: ReleaseReason,
  from: ReleaseGuard['from'],
): Promise<void> {
  for (let at = 0; at < instances.length; at += RELEASED_AT_ONCE)
    await Promise.all(
      instances
        .slice(at, at + RELEASED_AT_ONCE)
        .map((instance) => releaseInstance(deps, instance, reason, { from, generation: instance.generation })),
    );
}

/**
 * The name has stopped resolving already; while the queue is unavailable, the reaper tries again at each of its rounds.
 */
export function queueCleanup(
  { queue, cleanupStore, log }: Pick<ReleaseDeps, 'queue' | 'cleanupStore' | 'log'>,
  instance: Instance,
): void {
  const { id, node } = instance;
  queue
    .publishCleanup({ v: TASK_VERSION, kind: 'cleanup', id, node })
    .catch(async (error: unknown) => {
      // The queue's own connection says that it is unavailable; a line for each instance and round would
      // say it a thousand times.
      log.debug({ instance: id, reason: describeError(error) }, 'Cleanup could not be queued; the reaper tries again');
      await cleanupStore.markOverdue(instance);
    })
    .catch((error: unknown) => {
      log.warn(
        { instance: id, reason: describeError(error) },
        'Neither queue nor store took a cleanup; it is taken up again when it is overdue',
      );
    });
}

/**
 * A visitor's own release. Returns once the name has stopped resolving, for good. Throws unknown_instance, and
 * store_unavailable when that may be lost; releasing twice is fine.
 */
export async function release(deps: ReleaseDeps & { readonly claimStore: ClaimStore }, id: string): Promise<void> {
  const { instance } = await find(deps.claimStore, id);
  await releaseInstance(deps, instance, 'released', { from: ['assigned'] });
  await deps.claimStore.confirm();
}
