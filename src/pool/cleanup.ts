import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { CleanupTask } from '../domain/task.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { CleanupStore } from './interfaces/cleanup-store.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Databases } from './interfaces/databases.ts';
import type { Observer } from './interfaces/observer.ts';
import { queueCleanup, type ReleaseDeps } from './release.ts';

export interface CleanupDeps {
  readonly cleanupStore: CleanupStore;
  readonly runtime: ContainerRuntime;
  /** Undefined on a node without a database server. */
  readonly databases: Databases | undefined;
}

/**
 * In strict order, each step noted before the next begins; one that fails keeps everything after it from happening. The
 * name stopped resolving on release. Any number of these may run at once for the same instance.
 */
export async function teardown({ cleanupStore, runtime, databases }: CleanupDeps, instance: Instance): Promise<void> {
  await runtime.remove(instance.container);
  await cleanupStore.recordContainerGone(instance);
  if (instance.database !== null) {
    if (databases === undefined)
      throw new TryItNowError(
        'database_unavailable',
        `The database ${instance.database} of instance ${instance.id} cannot be dropped: this node has no ` +
          'database server any more; set DATABASE_SOCKET or POSTGRES_SOCKET again',
      );
    await databases.drop(instance.database);
    await cleanupStore.recordDatabaseDropped(instance);
  }
  await cleanupStore.coolPort(instance);
  await cleanupStore.deleteRecord(instance);
}

/**
 * The cleanup saga for a queued task. Done already, or not leaving after all: nothing happens. A step that fails puts
 * the instance into quarantine, with the reason, until the reaper brings it up again; the queue's own retry is left for
 * crashes and a store that does not answer.
 */
export async function cleanUp(
  deps: CleanupDeps &
    ReleaseDeps & {
      readonly claimStore: ClaimStore;
      readonly observer: Observer;
      readonly node: { readonly name: string };
    },
  task: CleanupTask,
): Promise<void> {
  const view = await deps.claimStore.find(task.id);
  if (view === undefined) return;
  let { instance } = view;
  if (instance.state === 'quarantined') {
    const outcome = await deps.cleanupStore.release(instance, 'abandoned', {
      from: ['quarantined'],
      generation: instance.generation,
    });
    if (outcome.kind === 'releasing') instance = outcome.instance;
  }
  if (instance.state !== 'releasing') return;
  if (instance.node !== deps.node.name) {
    queueCleanup(deps, instance);
    return;
  }
  const startedAt = performance.now();
  try {
    await teardown(deps, instance);
  } catch (error) {
    deps.observer.cleanup(instance.template, 'failure', performance.now() - startedAt);
    const reason = describeError(error);
    const pauseMs = await deps.cleanupStore.quarantine(instance, reason);
    deps.log.error(
      {
        instance: instance.id,
        container: instance.container,
        node: instance.node,
        step: instance.step,
        retryInMs: pauseMs,
        err: error,
        reason,
      },
      'Cleanup failed; the instance is quarantined and tried again',
    );
    return;
  }
  deps.observer.cleanup(instance.template, 'success', performance.now() - startedAt);
  deps.requestRefill();
}
