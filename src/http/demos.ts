/** What the HTTP side needs of the pool. */
import type { Template } from '../domain/template.ts';
import type { AcquireRequest, Acquired, Placed } from '../pool/acquire.ts';
import type { Download } from '../pool/export.ts';
import type { PoolControl } from '../pool/interfaces/pool-controls.ts';
import type { InstanceView } from '../pool/interfaces/claim-store.ts';
import type { PoolStats } from '../pool/interfaces/inventory.ts';
import type { Leads } from '../pool/leads.ts';
import type { Place } from '../pool/wait.ts';

export type { AcquireRequest, Acquired, Download, Place, Placed };

/** What everybody is shown: who is to find a preview has its address. */
export function listed(demos: Pick<Demos, 'templates'>): readonly Template[] {
  return demos.templates().filter(({ previewOf }) => previewOf === undefined);
}

export interface Demos {
  /**
   * Throws unknown_template, landing_not_allowed, banned, challenge_required, harm_limit, hourly_limit, daily_limit,
   * held_limit, pool_empty, pool_paused (each with retryAfterMs where waiting helps), idempotency_mismatch,
   * store_unavailable.
   */
  acquire(request: AcquireRequest): Promise<Acquired>;
  /**
   * The same, but where none is ready takes a place among those who wait, or keeps it; its id is `ownersKey` of owner
   * and key. Throws pool_empty only where it is no use to wait.
   */
  acquireOrWait(request: AcquireRequest & { readonly idempotencyKey: string }): Promise<Acquired | Placed>;
  /** Of those that are still there; each that is looked at is kept. Throws unknown_template, store_unavailable. */
  places(template: string, ids: readonly string[]): Promise<ReadonlyMap<string, Place>>;
  /** Gives a place up; false when it was gone already. Throws unknown_template, store_unavailable. */
  leave(template: string, id: string): Promise<boolean>;
  /** Throws unknown_instance. Ready and warming instances are nobody's business: unknown too. */
  find(id: string): Promise<InstanceView>;
  /** The instance that a host name leads to; undefined once it leads nowhere. Throws store_unavailable. */
  findByLabel(label: string): Promise<InstanceView | undefined>;
  /**
   * As `find`, for many at once in one go at the store; what would be unknown is left out. Throws store_unavailable.
   */
  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>>;
  /**
   * `trusted`: who asks has an API key, and need not give way to others. Throws unknown_instance, banned, not_assigned,
   * extension_limit, others_wait, conflicting_change.
   */
  extend(
    id: string,
    minutes: number,
    trusted?: boolean,
  ): Promise<{ readonly expiresAtMs: number; readonly ttlMs: number }>;
  /**
   * Returns as soon as the name has stopped resolving; the container goes in the background. Throws unknown_instance.
   * Releasing twice is fine.
   */
  release(id: string): Promise<void>;
  /** Its visitor does something with it, or says that it is still wanted. Throws unknown_instance, not_assigned. */
  recordUse(id: string): Promise<void>;
  /** When it ends (ms, by the store's clock) unless it is used before; undefined: not before its time is up. */
  unusedEndMs(view: InstanceView): number | undefined;
  /**
   * Where a visitor of this template's instance lands, unless `open`, which the template must allow, says otherwise.
   * Without a template, the app's root.
   */
  url(label: string, template?: string, open?: string): string;
  /** The running instance that a visit's token is for. Throws unknown_instance, also once it has ended. */
  visit(token: string): Promise<InstanceView>;
  /**
   * Where its visitor goes in. What the activation gave for the first step is handed out once. Throws
   * landing_not_allowed.
   */
  enter(view: InstanceView, open: string | undefined): Promise<string>;
  /** Whether what is in it can be downloaded from this server. */
  offersExport(view: InstanceView): boolean;
  /**
   * What its template lets visitors take home. `clientKey`: of who reads it, undefined for who reads for many. Throws
   * not_assigned, no_export, other_node, export_busy, export_failed, export_too_large.
   */
  exportWork(view: InstanceView, clientKey: string | undefined): Promise<Download>;
  /** Counted once in a visit, also for some time after its end. Throws unknown_instance, store_unavailable. */
  callToActionClicked(token: string): Promise<void>;
  /** What visitors tell of themselves. */
  readonly leads: Pick<Leads, 'keep' | 'isKept' | 'forget' | 'tellKept' | 'give' | 'visitOf'>;
  /** Per template name. */
  stats(): Promise<ReadonlyMap<string, PoolStats>>;
  /** What operators decided, per template name. */
  controls(): Promise<ReadonlyMap<string, PoolControl>>;
  templates(): readonly Template[];
  /** Also one that is no longer offered, for those who still visit it. */
  template(name: string): Template | undefined;
}
