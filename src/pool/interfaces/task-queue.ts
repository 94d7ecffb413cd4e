import type { CleanupTask, ProvisionTask } from '../../domain/task.ts';

export interface TaskQueue {
  publishProvision(tasks: readonly ProvisionTask[]): Promise<void>;
  publishCleanup(task: CleanupTask): Promise<void>;
  /**
   * Provision tasks in the stream: waiting for their first delivery, or handed out and not done. Throws
   * queue_unavailable.
   */
  provisions(): Promise<{ readonly waiting: number; readonly outstanding: number }>;
}
