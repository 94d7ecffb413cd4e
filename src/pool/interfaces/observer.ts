import type { ErrorCode } from '../../domain/errors.ts';
import type { JobAction } from '../../domain/operator-job.ts';
import type { ReleaseReason } from '../../domain/instance.ts';
import type { SuspectKind, Suspicion } from '../../domain/suspect.ts';
import type { GateReason } from '../../domain/gate-mode.ts';
import type { VisitStep } from '../../domain/visit-event.ts';
import type { ClaimOutcome } from './claim-store.ts';

/** `container` is a cold start's, `restore` a checkpoint's. */
export const PROVISION_PHASES = ['database', 'container', 'restore', 'readiness', 'activation', 'warmup'] as const;

export type ProvisionPhase = (typeof PROVISION_PHASES)[number];

export type ProvisionMethod = 'criu_restore' | 'cold_start';

/** What the reconciler finds out of order. */
export const REPAIR_KINDS = [
  'container',
  'network',
  'database',
  'record',
  'port',
  'index',
  'hostname',
  'setting',
  'ticket',
  'task',
  'proxy',
  'forwarding',
] as const;

export type RepairKind = (typeof REPAIR_KINDS)[number];

/** What comes of a reload of the templates. */
export const RELOAD_OUTCOMES = ['changed', 'unchanged', 'refused'] as const;

/** How a node comes to restore a promoted checkpoint. */
export const CHECKPOINT_CARRIAGES = ['left', 'fetched', 'made'] as const;

export type CheckpointCarriage = (typeof CHECKPOINT_CARRIAGES)[number];

/** What comes of a trial of a new image. */
export const IMAGE_OUTCOMES = ['adopted', 'refused', 'untried'] as const;

export type ImageOutcome = (typeof IMAGE_OUTCOMES)[number];

/** What is counted. Implemented by the metrics; every label value comes from a bounded set. */
export interface Observer {
  /** A visitor's download of their work has ended. `stopped`: whoever asked for it went away. */
  exported(template: string, outcome: 'done' | 'failed' | 'too_large' | 'late' | 'stopped'): void;
  /**
   * `replaced`: taken, or had again, and found dead. `placed`: got a place in the line; `kept`: asked again while they
   * have one. Without a duration it is told of no claim but of what a click came to.
   */
  claimed(
    template: string,
    outcome: Exclude<ClaimOutcome['kind'], 'waiting'> | 'placed' | 'kept' | 'replaced' | 'error',
    durationMs: number | undefined,
  ): void;
  /** Whether what was taken is alive, checked before it is handed out. */
  deliveryChecked(template: string, durationMs: number): void;
  /** The whole of a request that ended with an instance, a replacement of a dead one included. */
  acquired(template: string, durationMs: number): void;
  /**
   * Refused because the address has had its share; `held`: as many are held as may be at once; `harm`: several of their
   * visits were ended for it.
   */
  limited(template: string, window: 'hourly' | 'daily' | 'held' | 'harm'): void;
  /** Somebody was found to take an unusual share. */
  suspected(kind: SuspectKind, why: Suspicion): void;
  /** Whether who wants an instance has work to prove, and why; undefined: they have none. */
  gate(template: string, raised: GateReason | undefined): void;
  /** Work that was asked for. `refused`: what came as its solution is none. */
  challenged(template: string, outcome: 'given' | 'solved' | 'refused'): void;
  /** One who waited was served. */
  waited(template: string, durationMs: number): void;
  /** Gave up, or was not heard of any more. */
  stoppedWaiting(template: string, how: 'gave_up' | 'lapsed', count: number): void;
  provision(template: string, method: ProvisionMethod, status: 'success' | 'failure', durationMs: number): void;
  provisionPhase(template: string, phase: ProvisionPhase, durationMs: number): void;
  provisionFailed(template: string, code: ErrorCode): void;
  /** A visitor came one step further; `site` is one of the few that the funnel tells apart. */
  visitStep(template: string, site: string, step: VisitStep): void;
  release(template: string, reason: ReleaseReason): void;
  cleanup(template: string, status: 'success' | 'failure', durationMs: number): void;
  expiryLag(ms: number): void;
  /** A visit that nobody uses was left a part of its processors, since it kept them busy. */
  throttled(template: string): void;
  /** What merging pages saves on this host, and the processor time that it has cost so far (ms). */
  memoryShared(savedBytes: number, processorMs: number): void;
  /** What a ready instance holds was written to swap. */
  swappedOut(template: string): void;
  /** What a ready instance takes, on the average of some. */
  instanceMemory(template: string, bytes: number): void;
  /** The disk that containers lie on. `low`: nothing more is started. */
  storage(freeBytes: number, totalBytes: number, low: boolean): void;
  repaired(kind: RepairKind, count: number): void;
  /** Long work that an operator began. */
  jobBegan(action: JobAction): void;
  jobEnded(action: JobAction, outcome: 'done' | 'failed'): void;
  reloaded(outcome: (typeof RELOAD_OUTCOMES)[number]): void;
  /**
   * How many things were out of order when the recorded and the actual state were compared; undefined for kinds that
   * could not be checked.
   */
  driftDetected(found: Readonly<Record<RepairKind, number | undefined>>): void;
  /** Another process compares them from now on. */
  driftLeftToOthers(): void;
  /** A ready instance was checked. */
  healthChecked(template: string, healthy: boolean): void;
  /** A checkpoint was left for other nodes, fetched from one, or made in place of one that does not work here. */
  checkpointCarried(template: string, how: CheckpointCarriage, status: 'success' | 'failure'): void;
  /** A new image was tried. `untried`: something else failed, and it is tried again. */
  imageTried(outcome: ImageOutcome): void;
  /** The breaker of a template opened or closed. */
  breaker(template: string, open: boolean): void;
}
