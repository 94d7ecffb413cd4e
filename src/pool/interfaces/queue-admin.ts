import type { FailureReport } from '../../domain/failure-report.ts';

export interface QueueInfo {
  readonly messages: number;
  readonly bytes: number;
  /** Undefined while it is empty. */
  readonly oldestAtMs: number | undefined;
  readonly consumers: readonly {
    readonly name: string;
    /** Waiting for their first delivery. */
    readonly pending: number;
    /** Handed out: being worked on, or waiting out the pause before their next attempt. */
    readonly inFlight: number;
    readonly redelivered: number;
    /** Requests for a task that wait right now: one of each process while nothing comes, more while tasks come. */
    readonly waitingPulls: number;
  }[];
  readonly dead: number;
}

/** What cannot be read of a task is undefined; so is what its kind does not have. */
export interface QueuedTask {
  readonly sequence: number;
  readonly kind: 'provision' | 'cleanup';
  readonly id: string | undefined;
  readonly template: string | undefined;
  readonly node: string | undefined;
  readonly queuedAtMs: number;
}

/** `sequence` is its place among the dead ones. */
export interface DeadTask extends QueuedTask {
  readonly reason: string;
  readonly attempts: number;
  readonly diedAtMs: number;
  readonly report: FailureReport | undefined;
}

export const PURGE_TARGETS = ['provision', 'cleanup', 'dead'] as const;

export type PurgeTarget = (typeof PURGE_TARGETS)[number];

/** The queue as an operator sees it. Everything throws queue_unavailable. */
export interface QueueAdmin {
  info(): Promise<QueueInfo>;
  /** The oldest first; takes nothing out. */
  peek(limit: number): Promise<readonly QueuedTask[]>;
  /** Takes a task out, no matter who works on it; undefined when there is none of this sequence. */
  drop(sequence: number): Promise<QueuedTask | undefined>;
  /** The oldest first. */
  listDead(limit: number): Promise<readonly DeadTask[]>;
  /** Queues a dead task again, as it was; undefined when there is none of this sequence. */
  retry(sequence: number): Promise<DeadTask | undefined>;
  /** All that are dead now. Returns how many. */
  retryAll(): Promise<number>;
  delete(sequence: number): Promise<DeadTask | undefined>;
  /** Returns how many were discarded. */
  purge(which: PurgeTarget): Promise<number>;
}
