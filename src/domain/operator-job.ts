import type { OperatorAction } from './operator-role.ts';

/** Something long that an operator began, which goes on without them. */
export interface OperatorJob {
  readonly id: number;
  readonly action: JobAction;
  /** What it is done to. */
  readonly on: string;
  /** Who began it, as the audit log names them. */
  readonly who: string;
  readonly startedAtMs: number;
  /** Undefined: it is going on. */
  readonly endedAtMs: number | undefined;
  readonly state: 'running' | 'done' | 'failed';
  /** The step it is at; at its end what came of it, or why nothing did. */
  readonly said: string;
}

/** Everything that goes on as one. */
export const JOB_ACTIONS = [
  'checkpoint.create',
  'checkpoint.verify',
  'checkpoint.promote',
  'doctor.run',
  'webhooks.replay',
] as const satisfies readonly OperatorAction[];
export type JobAction = (typeof JOB_ACTIONS)[number];

/** What `doctor` saw of one thing. */
export interface Finding {
  readonly part: string;
  readonly what: string;
  readonly verdict: 'ok' | 'warning' | 'failure' | 'not_looked_at';
  readonly seen: string;
  readonly remedy?: string;
}

export interface Diagnosed {
  readonly atMs: number;
  readonly findings: readonly Finding[];
}
