/** How long a task of the queue is trusted to be there, without a sign that somebody is at it. */
export interface TaskPatience {
  /** How long a ticket may wait in the queue before it is asked whether its task is still there. */
  readonly queuedTicketMs: number;
  /** Between the reservation of a ticket and its task in the queue lie milliseconds, and 2 s at most. */
  readonly newTicketMs: number;
  /** A cleanup takes well under a second; after this its task counts as lost and is queued again. */
  readonly cleanupMs: number;
}

export const TASK_PATIENCE: TaskPatience = { queuedTicketMs: 30_000, newTicketMs: 10_000, cleanupMs: 30_000 };
