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
export async function sendAway(
  parts: ReleaseParts,
  instance: Instance,
  reason: ReleaseReason,
  guard: ReleaseGuard,
): Promise<Instance | undefined> {
  const outcome = await parts.departures.release(instance, reason, guard);
  if (outcome.kind === 'unchanged') return undefined;
  parts.observer.release(instance.template, reason);
  queueCleanup(parts, outcome.instance);
  if (instance.state === 'ready') parts.onDemand();
  return outcome.instance;
}

/** The name has stopped resolving already; while the queue is away, the reaper tries again at each of its rounds. */
export function queueCleanup(
  { queue, departures, log }: Pick<ReleaseParts, 'queue' | 'departures' | 'log'>,
  instance: Instance,
): void {
  const { id, node } = instance;
  queue
    .publishCleanup({ v: TASK_VERSION, kind: 'cleanup', id, node })
    .catch(async (error: unknown) => {
      // The queue's own connection says that it is away; a line for each instance and round would say it a thousand times.
      log.debug({ instance: id, reason: describeError(error) }, 'Cleanup could not be queued; the reaper tries again');
      await departures.hurry(instance);
    })
    .catch((error: unknown) => {
      log.warn(
        { instance: id, reason: describeError(error) },
        'Neither queue nor store took a cleanup; it is taken up again when it is overdue',
      );
    });
}

/** A visitor's own release. Returns once the name has stopped resolving. Throws unknown_instance; releasing twice is fine. */
export async function release(parts: ReleaseParts & { readonly takes: Takes }, id: string): Promise<void> {
  const { instance } = await find(parts.takes, id);
  await sendAway(parts, instance, 'released', { from: ['assigned'] });
}
