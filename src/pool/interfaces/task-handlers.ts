import type { CleanupTask, ProvisionTask } from '../../domain/task.ts';

export interface TaskContext {
  /** 1 for the first delivery. */
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** The worker stops: what has not begun is best handed back, by throwing this signal's reason. */
  readonly stopping: AbortSignal;
  /** From now on the task waits for others: its worker takes another one beside it. Once is enough. */
  readonly yieldWorker: () => void;
}

/**
 * What the queue's workers call. A throw means: try again after the backoff, until the attempts are used up; a
 * TryItNowError that is not retryable means: give up at once.
 */
export interface TaskHandlers {
  provision(task: ProvisionTask, context: TaskContext): Promise<void>;
  cleanup(task: CleanupTask, context: TaskContext): Promise<void>;
  /**
   * Dead-lettered, or could not be read (then undefined): it is kept as dead. `unseen`: its workers died over it, so no
   * attempt was seen to fail.
   */
  deadLettered(task: ProvisionTask | CleanupTask | undefined, reason: string, unseen: boolean): Promise<void>;
}
