/** What the HTTP side needs of the pool. */
import type { Template } from '../domain/template.ts';
import type { InstanceView, PoolStats } from '../pool/ports.ts';

export interface AcquireRequest {
  /** Undefined: the default template. */
  readonly template: string | undefined;
  /** The client address whose rate limit counts; IPv6 already cut to its /64. */
  readonly subject: string;
  readonly owner: string;
  readonly idempotencyKey: string | undefined;
}

export interface Acquired {
  readonly id: string;
  readonly template: string;
  readonly url: string;
  readonly expiresAtMs: number;
  readonly ttlMs: number;
  /** True when the same owner's earlier take was found by its idempotency key. */
  readonly again: boolean;
}

export interface Demos {
  /** Throws unknown_template, hourly_limit, daily_limit, pool_empty (each with retryAfterMs where waiting helps), idempotency_mismatch, store_unavailable. */
  acquire(request: AcquireRequest): Promise<Acquired>;
  /** Throws unknown_instance. Ready and warming stock is nobody's business: unknown too. */
  find(id: string): Promise<InstanceView>;
  /** As `find`, for many at once in one go at the store; what would be unknown is left out. Throws store_unavailable. */
  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>>;
  /** Throws unknown_instance, not_assigned, extension_limit, conflicting_change. */
  extend(id: string, minutes: number): Promise<{ readonly expiresAtMs: number; readonly ttlMs: number }>;
  /** Returns as soon as the name has stopped resolving; the container goes in the background. Throws unknown_instance. Releasing twice is fine. */
  release(id: string): Promise<void>;
  url(label: string): string;
  /** Per template name. */
  stats(): Promise<ReadonlyMap<string, PoolStats>>;
  templates(): readonly Template[];
}
