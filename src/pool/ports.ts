/** What the pool needs of the outside, in its own terms. Engines implement these; nothing here names one. */
import type { CheckpointHost, CheckpointMetadata } from '../domain/checkpoint.ts';
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
  /** The record no longer names a database. Only after it is verified dropped. */
  databaseDropped(instance: Instance): Promise<void>;
  /** The instance's port goes into cool-down. Only after its container is verified absent. */
  coolPort(instance: Instance): Promise<void>;
  /** Deletes the record of a releasing instance that holds neither a port nor a database any more. */
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
  /**
   * Makes the warming record, with the name of the database to come, or returns the one there is. Undefined when the ticket
   * is gone: nobody wants it any more.
   */
  begin(template: Template, version: string, id: string, database: string | undefined): Promise<Instance | undefined>;
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
  /** Of every record, readable or not. */
  ids(): Promise<readonly string[]>;
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
  /** Undefined for one that is no instance: the source of a checkpoint, or a clone that is only tried. */
  readonly instanceId: string | undefined;
  readonly template: Template;
  readonly hostPort: number;
  /** Added to the template's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The reconciler leaves it alone until then (ms since the epoch), although no record knows it. */
  readonly keepUntilMs?: number;
}

export interface ContainerSummary {
  readonly name: string;
  /** As given at its start; undefined for an instance's. */
  readonly keepUntilMs?: number;
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
  /**
   * Runs a command in a running container, with these variables added to its environment. Throws container_failed when it
   * cannot be run or does not end in time; an exit code other than 0 is an answer.
   */
  exec(name: string, call: { readonly command: readonly string[]; readonly env: Readonly<Record<string, string>>; readonly timeoutMs: number }, signal: AbortSignal): Promise<ExecResult>;
  /** This deployment's containers on this node, and no others. */
  list(): Promise<ContainerSummary[]>;
  /** Takes what `prepare` made off the host again. False, and nothing done, while containers of ours are still there. */
  dismantle(): Promise<boolean>;
  close(): Promise<void>;
}

export interface ExecResult {
  readonly exitCode: number;
  /** What it wrote to either stream, its last 8 KiB. */
  readonly output: string;
}

/** A checkpoint whose files were checked and lie ready for any number of restores. */
export interface OpenCheckpoint {
  readonly id: string;
  /** The unpacked archive. */
  readonly folder: string;
  readonly fileLocks: boolean;
}

export type CheckpointingAvailability = { readonly available: true } | { readonly available: false; readonly reason: string };

/** An optional ability of an engine. */
export interface Checkpointing {
  /** Dumps and restores a tiny container for real, once; later calls answer from that, a refusal for some minutes. The reason is for people. */
  availability(): Promise<CheckpointingAvailability>;
  /** What a checkpoint of this template made here and now would fit to. Throws image_missing, engine_unavailable. */
  host(template: Template): Promise<CheckpointHost>;
  /** Waits until no TCP connection is open in the container: one could not be dumped. Throws checkpoint_failed. */
  untilIdle(name: string, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Writes the container's memory and files into `archive` (mode 0600) and leaves the container stopped. Throws checkpoint_failed. */
  dump(name: string, archive: string, options: { readonly fileLocks: boolean }): Promise<void>;
  /** Instead of a start; whatever bears the name already is replaced. Throws restore_failed with CRIU's own lines. */
  restore(spec: ContainerSpec, from: OpenCheckpoint, signal: AbortSignal): Promise<void>;
}

/** The checkpoints on this node's disk. */
export interface CheckpointShelf {
  /** Newest first. A `problem` says why one cannot be read. */
  list(): Promise<readonly CheckpointOnShelf[]>;
  /** Moves the archive in and writes its metadata; the id comes from the content. */
  add(archive: string, about: Omit<CheckpointMetadata, 'format' | 'id' | 'sizeBytes' | 'sha256'>): Promise<CheckpointMetadata>;
  /** Copies an archive and the metadata beside it in, once. Throws checkpoint_damaged. */
  adopt(archive: string): Promise<CheckpointMetadata>;
  /** Throws unknown_checkpoint, checkpoint_damaged. */
  metadata(id: string): Promise<CheckpointMetadata>;
  /**
   * Checks checksum and fit, and unpacks; once per process and checkpoint, at once after that.
   * Throws unknown_checkpoint, checkpoint_damaged, checkpoint_unfit.
   */
  open(id: string, fit: { readonly template: string; readonly templateVersion: string; readonly host: CheckpointHost }): Promise<OpenCheckpoint>;
  /** Absent is fine. */
  remove(id: string): Promise<void>;
}

export interface CheckpointOnShelf {
  readonly id: string;
  readonly archive: string;
  readonly metadata: CheckpointMetadata | undefined;
  readonly problem: string | undefined;
}

/** Which checkpoint a template is restored from, everywhere, and how that goes. */
export interface Promotions {
  /** Templates without one are left out. */
  current(templates: readonly string[]): Promise<ReadonlyMap<string, string>>;
  status(template: string): Promise<PromotionStatus>;
  /** Undefined `configured`: by a person. Otherwise nothing happens when the configuration named this one before. */
  promote(template: string, id: string, configured?: 'configured'): Promise<{ readonly changed: boolean; readonly replaced: string | undefined }>;
  /** Back to the one before. Throws no_earlier_checkpoint. */
  rollback(template: string): Promise<{ readonly from: string; readonly to: string | undefined }>;
  /** For how long this node is not to try (ms), 0: it may. */
  pausedMs(template: string): Promise<number>;
  restored(template: string, id: string): Promise<void>;
  /** One that never restored anywhere is taken out after some failures, and the one before it comes back. */
  restoreFailed(template: string, id: string): Promise<{ readonly pauseMs: number; readonly withdrawn: boolean; readonly current: string | undefined }>;
}

export interface PromotionStatus {
  readonly current: string | undefined;
  /** The one that `rollback` goes back to first. */
  readonly earlier: readonly string[];
  /** It has been restored from since it was promoted. */
  readonly proven: boolean;
  readonly failures: number;
  /** The last one taken out because it did not restore. */
  readonly withdrawn: string | undefined;
}

export interface DatabaseCredentials {
  /** Path of the server's socket, as an instance sees it. */
  readonly socket: string;
  readonly name: string;
  readonly user: string;
  readonly password: string;
}

/** One database and one user per instance, on the node's own database server. */
export interface Databases {
  /** Ready for these templates: reachable, safe to let instances near, seeds loaded. Throws database_unavailable, database_unsafe, database_failed. */
  prepare(templates: readonly Template[]): Promise<void>;
  /** A name for an instance, or for something that is only tried and may be dropped by the reconciler from `keepUntilMs` on. */
  nameFor(owner: { readonly instanceId: string } | { readonly keepUntilMs: number }): string;
  /** Filled from the template's seed, with a new password; whatever bears the name already is replaced. Throws database_unavailable, database_failed. */
  create(name: string, template: Template): Promise<DatabaseCredentials>;
  /** Resolves when neither database nor user is there any more, and no connection to it. Absent is fine. */
  drop(name: string): Promise<void>;
  /** Every database and user of this deployment's, except those that are only tried and still may be. */
  list(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface Probe {
  /** Polls (50 ms) until the answer's status is below 400. Throws not_ready_in_time with the last thing seen. */
  untilOk(target: { readonly url: string; readonly hostname?: string; readonly timeoutMs: number }, signal: AbortSignal): Promise<void>;
  /** One request, JSON if there is a body; the answer's body is cut at 64 KiB. Throws whatever kept it from being answered. */
  ask(target: { readonly url: string; readonly body?: object; readonly timeoutMs: number }, signal: AbortSignal): Promise<{ readonly status: number; readonly body: string }>;
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

/** `container` is a cold start's, `restore` a checkpoint's. */
export const PROVISION_PHASES = ['database', 'container', 'restore', 'readiness', 'activation', 'warmup'] as const;
export type ProvisionPhase = (typeof PROVISION_PHASES)[number];
export type ProvisionMethod = 'criu_restore' | 'cold_start';

/** What is counted. Implemented by the metrics; every label value comes from a bounded set. */
export interface Observer {
  take(template: string, outcome: TakeOutcome['kind'] | 'error', durationMs: number): void;
  provision(template: string, method: ProvisionMethod, status: 'success' | 'failure', durationMs: number): void;
  provisionPhase(template: string, phase: ProvisionPhase, durationMs: number): void;
  provisionFailed(template: string, code: ErrorCode): void;
  release(template: string, reason: ReleaseReason): void;
  cleanup(template: string, status: 'success' | 'failure', durationMs: number): void;
  expiryLag(ms: number): void;
  repaired(kind: 'container' | 'database' | 'record' | 'port' | 'index' | 'ticket' | 'proxy', count: number): void;
}
