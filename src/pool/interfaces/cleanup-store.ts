import type { Instance, ReleaseReason } from '../../domain/instance.ts';
import type { InstanceState } from '../../domain/lifecycle.ts';
import type { Template } from '../../domain/template.ts';

export type ReleaseOutcome =
  { readonly kind: 'releasing'; readonly instance: Instance } | { readonly kind: 'unchanged' };

export interface ReleaseGuard {
  /** Only from these states. */
  readonly from: readonly InstanceState[];
  /** Only if the record is still of this generation. */
  readonly generation?: number;
  /** Only if the deadline has passed by the store's clock. */
  readonly onlyIfExpired?: boolean;
  /** Only if the record still belongs to this attempt at its provision. */
  readonly attempt?: string;
}

/** Names of templates. */
export interface Due {
  readonly expired: ReadonlySet<string>;
  readonly aged: ReadonlySet<string>;
  readonly overdue: ReadonlySet<string>;
  /** An operator has them drained, whether anything is left or not. */
  readonly drained: ReadonlySet<string>;
}

/** The way out: every step idempotent, each enforcing the lifecycle table. */
export interface CleanupStore {
  /** → releasing; the host name stops resolving in the same step. Unchanged when the guard or the table forbids it. */
  release(instance: Instance, reason: ReleaseReason, guard: ReleaseGuard): Promise<ReleaseOutcome>;
  /**
   * First step of a cleanup, which the store asks for before any later one. Only after
   * the container is verified absent.
   */
  recordContainerGone(instance: Instance): Promise<void>;
  /** The record no longer names a database. Only after it is verified dropped. */
  recordDatabaseDropped(instance: Instance): Promise<void>;
  /** The instance's port goes into cool-down. Only after its container is verified absent. */
  coolPort(instance: Instance): Promise<void>;
  /** Deletes the record of a releasing instance that holds neither a port nor a database any more. */
  deleteRecord(instance: Instance): Promise<void>;
  /** Its cleanup could not be queued: it is `overdue` at once. */
  markOverdue(instance: Instance): Promise<void>;
  /**
   * A cleanup step failed. It comes up again as `overdue` after a pause that doubles each time. Returns its length
   * (ms), 0 when nothing was changed.
   */
  quarantine(instance: Instance, reason: string): Promise<number>;
  /** Of which templates there is anything to be had below; `offered` alone can have what is aged. */
  due(offered: readonly Template[]): Promise<Due>;
  /** Assigned instances whose deadline has passed. */
  expired(limit: number): Promise<Instance[]>;
  /** Ready instances with less life left than one visit. */
  agedIdle(template: Template, limit: number): Promise<Instance[]>;
  /** Of a template that is drained: all of its idle instances, and what visitors hold once the deadline has passed. */
  drainable(template: string, limit: number): Promise<Instance[]>;
  /**
   * Releasing for much longer than a cleanup takes: their task was lost; or quarantined, and their pause is over. Each
   * comes up once, and then again after a while.
   */
  overdue(limit: number): Promise<Instance[]>;
}
