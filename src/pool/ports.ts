/** What the pool needs of the outside, in its own terms. Engines implement these; nothing here names one. */
import type { ErrorCode } from '../domain/errors.ts';
import type { Instance, ReleaseReason } from '../domain/instance.ts';
import type { InstanceState } from '../domain/lifecycle.ts';
import type { CleanupTask, ProvisionTask } from '../domain/task.ts';
import type { Template } from '../domain/template.ts';

/** Who asks, and what for. */
export interface TakeRequest {
  readonly template: Template;
  /** Whose limits are counted: a client address, IPv6 already cut to its /64. */
  readonly subject: string;
  readonly owner: string;
  /** Same owner, same key, still assigned: the same instance again. */
  readonly idempotencyKey: string | undefined;
  readonly ttlMs: number;
}

export type TakeOutcome =
  | { readonly kind: 'taken' | 'again'; readonly id: string; readonly label: string; readonly deadlineMs: number; readonly ttlMs: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'limited'; readonly window: 'hourly' | 'daily'; readonly retryAfterMs: number }
  | { readonly kind: 'key_reused' };

export type ExtendOutcome =
  | { readonly kind: 'extended'; readonly deadlineMs: number; readonly ttlMs: number; readonly generation: number }
  | { readonly kind: 'unknown' | 'not_assigned' | 'conflict' }
  | { readonly kind: 'limit'; readonly latestDeadlineMs: number };

/** An instance as a visitor may see it, with the store's own reading of the clock. */
export interface InstanceView {
  readonly instance: Instance;
  readonly nowMs: number;
}

/** The fast path: one round trip each. */
export interface Takes {
  take(request: TakeRequest): Promise<TakeOutcome>;
  /** Compare-and-set on the instance's generation. `maxMs` bounds the whole stay, counted from the take. */
  extend(instance: Instance, byMs: number, maxMs: number): Promise<ExtendOutcome>;
  find(id: string): Promise<InstanceView | undefined>;
  /** Unknown ids are left out. */
  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>>;
}

export type ReleaseOutcome = { readonly kind: 'releasing'; readonly instance: Instance } | { readonly kind: 'unchanged' };

export interface ReleaseGuard {
  /** Only from these states. */
  readonly from: readonly InstanceState[];
  /** Only if the record is still of this generation. */
  readonly generation?: number;
  /** Only if the deadline has passed by the store's clock. */
  readonly onlyIfExpired?: boolean;
}

/** The way out: every step idempotent, each enforcing the lifecycle table. */
export interface Departures {
  /** → releasing; the host name stops resolving in the same step. Unchanged when the guard or the table forbids it. */
  release(instance: Instance, reason: ReleaseReason, guard: ReleaseGuard): Promise<ReleaseOutcome>;
  /** The instance's port goes into cool-down. Only after its container is verified absent. */
  coolPort(instance: Instance): Promise<void>;
  /** Deletes the record of a releasing instance that holds no port any more. */
  forget(instance: Instance): Promise<void>;
  quarantine(instance: Instance, reason: string): Promise<void>;
  /** Assigned instances whose deadline has passed. */
  expired(limit: number): Promise<Instance[]>;
  /** Ready instances with less life left than one visit. */
  agedStock(template: Template, limit: number): Promise<Instance[]>;
  /**
   * Releasing or quarantined for longer than `olderThanMs`: their cleanup task was lost or keeps failing. Their time
   * starts again, so that each comes up once in that while.
   */
  overdue(olderThanMs: number, limit: number): Promise<Instance[]>;
}

/** The way in. A ticket reserves room for one instance until its deadline; it carries the instance's future id. */
export interface Arrivals {
  /** Reserves as many tickets as target, capacity and threshold allow, atomically. Returns their ids. */
  reserve(template: Template): Promise<string[]>;
  /** Gives the room back. The record, if one exists, is not touched. */
  cancelTicket(template: string, id: string): Promise<void>;
  /** Pushes the ticket's deadline out; false when there is no such ticket any more. */
  renewTicket(template: string, id: string): Promise<boolean>;
  /** For tickets whose tasks still wait in the queue: they get as much time again as they had at first. */
  keepQueued(tickets: readonly LostTicket[]): Promise<void>;
  /** Makes the warming record, or returns the one there is. Undefined when the ticket is gone: nobody wants it any more. */
  begin(template: Template, version: string, id: string): Promise<Instance | undefined>;
  /** Takes a port out of the available ones, once per instance. Throws no_free_port. */
  allocatePort(instance: Instance): Promise<Instance>;
  /** From here on the host name resolves to the instance's node and port. */
  publishHostname(instance: Instance): Promise<void>;
  /** warming → ready, and the ticket is spent. False when the ticket or the record was taken away meanwhile. */
  markReady(instance: Instance, template: Template): Promise<boolean>;
  /** No refill for this template until the pause, doubled at each failure in a row, is over. Returns its length. */
  recordFailure(template: string): Promise<number>;
}

export interface PoolStats {
  readonly ready: number;
  readonly assigned: number;
  readonly warming: number;
  /** Releasing or quarantined. */
  readonly leaving: number;
  readonly target: number;
  readonly capacity: number;
}

export interface LostTicket {
  readonly template: string;
  readonly id: string;
}

/** The books, for the reconciler and for people. */
export interface Census {
  stats(templates: readonly Template[]): Promise<ReadonlyMap<string, PoolStats>>;
  /** Every readable record. Unreadable ones are logged, counted and left alone. */
  list(): Promise<Instance[]>;
  /** Also for a record of another version, which `list` and `find` skip: what hangs on it is not ours to judge. */
  isRecorded(id: string): Promise<boolean>;
  /** Tickets past their deadline: at most some hundreds at a time. */
  lostTickets(): Promise<LostTicket[]>;
  /** Makes the port sets agree with the range and the records: available + cooling + held = range. Returns repairs made. */
  settlePorts(): Promise<number>;
  /**
   * Makes host names and pool sets agree with the records. `seen` is a recent `list`: where to look; the store looks
   * again for itself before it changes anything. Returns repairs made.
   */
  settleIndexes(seen: readonly Instance[]): Promise<number>;
}

export interface ContainerSpec {
  readonly name: string;
  readonly instanceId: string;
  readonly template: Template;
  readonly hostPort: number;
  /** Added to the template's environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ContainerSummary {
  readonly name: string;
  /** From our label; undefined when it is missing or malformed. */
  readonly instanceId: string | undefined;
  readonly running: boolean;
}

export interface ContainerRuntime {
  readonly engine: 'podman' | 'docker' | 'simulated';
  /**
   * Makes the host ready to run these templates: networks, isolation rules, images present. Safe to repeat.
   * Throws engine_unavailable, image_missing, isolation_failed.
   */
  prepare(templates: readonly Template[]): Promise<void>;
  /** Starts the container; whatever bears its name already is replaced. Throws container_failed, image_missing. */
  start(spec: ContainerSpec, signal: AbortSignal): Promise<void>;
  /** Kills and removes at once; resolves only when the engine says the name is absent. Absent from the start is fine. */
  remove(name: string): Promise<void>;
  /** This deployment's containers on this node, and no others. */
  list(): Promise<ContainerSummary[]>;
  /** Takes what `prepare` made off the host again. False, and nothing done, while containers of ours are still there. */
  dismantle(): Promise<boolean>;
  close(): Promise<void>;
}

export interface Probe {
  /** Polls (50 ms) until the answer's status is below 400. Throws not_ready_in_time with the last thing seen. */
  untilOk(target: { readonly url: string; readonly hostname?: string; readonly timeoutMs: number }, signal: AbortSignal): Promise<void>;
}

export interface TaskQueue {
  publishProvision(tasks: readonly ProvisionTask[]): Promise<void>;
  publishCleanup(task: CleanupTask): Promise<void>;
  /** Provision tasks that wait for their first delivery. Throws queue_unavailable. */
  waitingProvisions(): Promise<number>;
}

export interface TaskContext {
  /** 1 for the first delivery. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** What the queue's workers call. A throw means: try again after the backoff, until the attempts are used up. */
export interface TaskHandlers {
  provision(task: ProvisionTask, context: TaskContext): Promise<void>;
  cleanup(task: CleanupTask, context: TaskContext): Promise<void>;
  /** The attempts are used up, or the task could not be read (then undefined): it is kept as dead. */
  abandoned(task: ProvisionTask | CleanupTask | undefined, reason: string): Promise<void>;
}

export interface NodeRegistry {
  /** Tells discovery where this node's instances are reached. */
  announce(): Promise<void>;
}

export interface Proxy {
  /** Puts our server into the proxy's configuration if it is not there as it should be. Throws proxy_unavailable. */
  ensure(): Promise<'unchanged' | 'written'>;
}

/** What is counted. Implemented by the metrics; every label value comes from a bounded set. */
export interface Observer {
  take(template: string, outcome: TakeOutcome['kind'] | 'error', durationMs: number): void;
  provision(template: string, method: 'criu_restore' | 'cold_start', status: 'success' | 'failure', durationMs: number): void;
  provisionPhase(template: string, phase: 'container' | 'readiness' | 'warmup', durationMs: number): void;
  provisionFailed(template: string, code: ErrorCode): void;
  release(template: string, reason: ReleaseReason): void;
  cleanup(template: string, status: 'success' | 'failure', durationMs: number): void;
  expiryLag(ms: number): void;
  repaired(kind: 'container' | 'record' | 'port' | 'index' | 'ticket' | 'proxy', count: number): void;
}
