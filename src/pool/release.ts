import { describeError } from '../domain/errors.ts';
import type { Instance, ReleaseReason } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import { TASK_VERSION } from '../domain/task.ts';
import { find } from './find.ts';
import type { Departures, Observer, ReleaseGuard, Takes, TaskQueue } from './ports.ts';

export interface ReleaseParts {
  readonly departures: Departures;
  readonly queue: TaskQueue;
  readonly observer: Observer;
  readonly log: Log;
  /** Called when stock went down, was found empty, or room for more came free. */
  readonly onDemand: () => void;
}

/** → releasing, and its cleanup is queued without being waited for. Undefined when the guard did not let it. */
export async function sendAway(parts: ReleaseParts, instance: Instance, reason: ReleaseReason, guard: ReleaseGuard): Promise<Instance | undefined> {
  const outcome = await parts.departures.release(instance, reason, guard);
  if (outcome.kind === 'unchanged') return undefined;
  parts.observer.release(instance.template, reason);
  queueCleanup(parts, outcome.instance);
  if (instance.state === 'ready') parts.onDemand();
  return outcome.instance;
}

/** The name has stopped resolving already; if the queue is away, the reaper queues the cleanup again later. */
export function queueCleanup({ queue, log }: Pick<ReleaseParts, 'queue' | 'log'>, { id, node }: Instance): void {
  queue.publishCleanup({ v: TASK_VERSION, kind: 'cleanup', id, node }).catch((error: unknown) => {
    log.warn({ instance: id, reason: describeError(error) }, 'Cleanup could not be queued; the reaper will do it later');
  });
}

/** A visitor's own release. Returns once the name has stopped resolving. Throws unknown_instance; releasing twice is fine. */
export async function release(parts: ReleaseParts & { readonly takes: Takes }, id: string): Promise<void> {
  const { instance } = await find(parts.takes, id);
  await sendAway(parts, instance, 'released', { from: ['assigned'] });
}
