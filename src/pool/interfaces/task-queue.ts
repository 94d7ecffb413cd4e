import type { CleanupTask, ProvisionTask, Task } from '../../domain/task.ts';

/** A task that is done and still in the stream. */
export interface LeftoverTask {
  readonly sequence: number;
  /** Undefined when it cannot be read. */
  readonly task: Task | undefined;
  readonly queuedAtMs: number;
}

export interface TaskQueue {
  publishProvision(tasks: readonly ProvisionTask[]): Promise<void>;
  publishCleanup(task: CleanupTask): Promise<void>;
  /**
   * Provision tasks in the stream: waiting for their first delivery, or handed out and not done. Throws
   * queue_unavailable.
   */
  provisions(): Promise<{ readonly waiting: number; readonly outstanding: number }>;
  /**
   * Tasks that nobody will ever be handed again: their consumer has seen them acknowledged, or so it remembers. At most
   * some hundreds at a time. Throws queue_unavailable.
   */
  leftovers(): Promise<readonly LeftoverTask[]>;
  /** Takes those out that are still there. Returns how many. Throws queue_unavailable. */
  discard(leftovers: readonly LeftoverTask[]): Promise<number>;
}
