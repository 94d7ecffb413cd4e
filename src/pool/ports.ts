/** What the pool needs of the outside, in its own terms. Engines implement these; nothing here names one. */
import type { CheckpointHost, CheckpointMetadata } from '../domain/checkpoint.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { Instance, ProvisionStep, ReleaseReason } from '../domain/instance.ts';
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
  /** An instance of the same owner's that turned out to be dead: the new one takes its place in the limits and under its key. */
  readonly replacing?: string;
}

/** Where an instance is reached. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
  /** What publishes the port, where that is known: some engines accept connections for an app that is dead. */
  readonly engine?: ContainerRuntime['engine'];
}

export type TakeOutcome =
  | {
      readonly kind: 'taken' | 'again';
      readonly id: string;
      readonly label: string;
      readonly deadlineMs: number;
      readonly ttlMs: number;
      /** Undefined for a node that has not announced itself. */
      readonly upstream: Upstream | undefined;
    }
  | { readonly kind: 'empty' }
  | { readonly kind: 'paused'; readonly retryAfterMs: number; readonly reason: string | undefined }
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
  /** One instance that was counted could not be used: it is taken off the subject's limits. */
  uncount(subject: string): Promise<void>;
  find(id: string): Promise<InstanceView | undefined>;
  /** Unknown ids are left out. */
  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>>;
}

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

/** The way out: every step idempotent, each enforcing the lifecycle table. */
export interface Departures {
  /** → releasing; the host name stops resolving in the same step. Unchanged when the guard or the table forbids it. */
  release(instance: Instance, reason: ReleaseReason, guard: ReleaseGuard): Promise<ReleaseOutcome>;
  /** First step of a cleanup, which the store asks for before any later one. Only after the container is verified absent. */
  containerGone(instance: Instance): Promise<void>;
  /** The record no longer names a database. Only after it is verified dropped. */
  databaseDropped(instance: Instance): Promise<void>;
  /** The instance's port goes into cool-down. Only after its container is verified absent. */
  coolPort(instance: Instance): Promise<void>;
  /** Deletes the record of a releasing instance that holds neither a port nor a database any more. */
  forget(instance: Instance): Promise<void>;
  /** Its cleanup could not be queued: it is `overdue` at once. */
  hurry(instance: Instance): Promise<void>;
  /** A cleanup step failed. It comes up again as `overdue` after a pause that doubles each time. Returns its length (ms), 0 when nothing was changed. */
  quarantine(instance: Instance, reason: string): Promise<number>;
  /** Assigned instances whose deadline has passed. */
  expired(limit: number): Promise<Instance[]>;
  /** Ready instances with less life left than one visit. */
  agedStock(template: Template, limit: number): Promise<Instance[]>;
  /** Of a template that is drained: all of its stock, and what visitors hold once the deadline has passed. */
  drainable(template: string, limit: number): Promise<Instance[]>;
  /**
   * Releasing for much longer than a cleanup takes: their task was lost; or quarantined, and their pause is over. Each comes
   * up once, and then again after a while.
   */
  overdue(limit: number): Promise<Instance[]>;
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
  /** Makes the warming record, under the ticket's id and for this attempt alone. */
  begin(template: Template, draft: AttemptDraft): Promise<Begun>;
  /** The attempt is alive: renews its lease and its ticket. False when it was superseded or taken away. */
  keepAlive(instance: Instance): Promise<boolean>;
  /** Gives the lease up, so that the next delivery of the task may begin at once. */
  surrender(instance: Instance): Promise<void>;
  /** Notes a step as done, and renews as `keepAlive` does. Throws conflicting_change when the attempt was superseded or taken away. */
  advance(instance: Instance, step: ProvisionStep): Promise<void>;
  /** Takes a port out of the available ones, once per attempt. Throws no_free_port, conflicting_change. */
  allocatePort(instance: Instance): Promise<Instance>;
  /** From here on the host name resolves to the instance's node and port. Throws conflicting_change. */
  publishHostname(instance: Instance): Promise<void>;
  /** warming → ready, the ticket is spent, and the template's failures are forgiven. Throws conflicting_change when any of it was taken away. */
  markReady(instance: Instance, template: Template): Promise<{ readonly recovered: boolean }>;
  /**
   * Counts an attempt that failed. From the third in a row on, the breaker is open: the template is refilled no more until
   * the pause, doubled each time up to `maxPauseMs` (5 min), is over, and then by one instance at a time until one comes up.
   */
  recordFailure(template: string, version: string, maxPauseMs?: number): Promise<BreakerState>;
  /** The template is offered in this version: failures of another one say nothing about it. */
  offer(template: string, version: string): Promise<void>;
}

export interface AttemptDraft {
  readonly id: string;
  /** Drawn anew for each attempt: whatever it makes bears a name of its own, so that a superseded one can do no harm. */
  readonly attempt: string;
  /** What it will be stock of. */
  readonly version: string;
  readonly database: string | undefined;
}

export type Begun =
  | { readonly kind: 'begun'; readonly instance: Instance }
  /** No ticket: nobody wants it any more. */
  | { readonly kind: 'unwanted' }
  /** The template's breaker is open; the ticket was given back. */
  | { readonly kind: 'paused' }
  /** Another worker is alive and at it: this is a second delivery of its task. */
  | { readonly kind: 'underway' }
  /** An earlier attempt died; what it left is releasing now and has to be taken down first. */
  | { readonly kind: 'left_over'; readonly instance: Instance };

export interface BreakerState {
  /** True for the one failure that opened it. */
  readonly opened: boolean;
  /** What is left of the pause, 0 while it is closed. */
  readonly pauseMs: number;
  readonly failures: number;
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
  /** The database of every record, readable or not. */
  databases(): Promise<readonly string[]>;
  /** Tickets past their deadline: at most some hundreds at a time. */
  lostTickets(): Promise<LostTicket[]>;
  /**
   * Tickets that nobody works on and that were not reserved within the last 10 s: only a task in the queue can still bring
   * them up. Look here first and into the queue then. At most some hundreds at a time. `newOnesToo`: however new.
   */
  idleTickets(options?: { readonly newOnesToo?: boolean }): Promise<LostTicket[]>;
  /** Looks only: what the three below would put right. `seen` is a recent `list`. */
  misplaced(seen: readonly Instance[]): Promise<readonly Misplaced[]>;
  /** Makes the port sets agree with the range and the records: available + cooling + held = range. Returns repairs made. */
  settlePorts(): Promise<number>;
  /**
   * Makes the pool sets agree with the records. `seen` is a recent `list`: where to look; the store looks again for itself
   * before it changes anything. Returns repairs made.
   */
  settleIndexes(seen: readonly Instance[]): Promise<number>;
  /** The same for host names. */
  settleHostnames(seen: readonly Instance[]): Promise<number>;
}

export interface Misplaced {
  readonly kind: 'port' | 'index' | 'hostname';
  readonly what: string;
  /** A clause for people. */
  readonly why: string;
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
  exec(
    name: string,
    call: {
      readonly command: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
    },
    signal: AbortSignal,
  ): Promise<ExecResult>;
  /** The last `tail` lines the container wrote to either stream, 256 KiB at most. Throws container_failed when there is no such container. */
  logs(name: string, tail: number): Promise<string>;
  /** This deployment's containers on this node, and no others. */
  list(): Promise<ContainerSummary[]>;
  /**
   * Told of each of them that ends or disappears from now on, whoever ended it. Ends when the signal is aborted; throws
   * engine_unavailable when the engine is gone: what happened until the next call has to be looked up with `list`.
   */
  watch(gone: (container: ContainerSummary) => void, signal: AbortSignal): Promise<void>;
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

export type CheckpointingAvailability =
  { readonly available: true } | { readonly available: false; readonly reason: string };

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
  add(
    archive: string,
    about: Omit<CheckpointMetadata, 'format' | 'id' | 'sizeBytes' | 'sha256'>,
  ): Promise<CheckpointMetadata>;
  /** Copies an archive and the metadata beside it in, once. Throws checkpoint_damaged. */
  adopt(archive: string): Promise<CheckpointMetadata>;
  /** Throws unknown_checkpoint, checkpoint_damaged. */
  metadata(id: string): Promise<CheckpointMetadata>;
  /**
   * Checks checksum and fit, and unpacks; once per process and checkpoint, at once after that.
   * Throws unknown_checkpoint, checkpoint_damaged, checkpoint_unfit.
   */
  open(
    id: string,
    fit: { readonly template: string; readonly templateVersion: string; readonly host: CheckpointHost },
  ): Promise<OpenCheckpoint>;
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
  promote(
    template: string,
    id: string,
    configured?: 'configured',
  ): Promise<{ readonly changed: boolean; readonly replaced: string | undefined }>;
  /** Back to the one before. Throws no_earlier_checkpoint. */
  rollback(template: string): Promise<{ readonly from: string; readonly to: string | undefined }>;
  /** For how long this node is not to try (ms), 0: it may. */
  pausedMs(template: string): Promise<number>;
  restored(template: string, id: string): Promise<void>;
  /** One that never restored anywhere is taken out after some failures, and the one before it comes back. */
  restoreFailed(
    template: string,
    id: string,
  ): Promise<{ readonly pauseMs: number; readonly withdrawn: boolean; readonly current: string | undefined }>;
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
  nameFor(owner: { readonly instanceId: string; readonly attempt: string } | { readonly keepUntilMs: number }): string;
  /** Filled from the template's seed, with a new password; whatever bears the name already is replaced. Throws database_unavailable, database_failed. */
  create(name: string, template: Template): Promise<DatabaseCredentials>;
  /** Resolves when neither database nor user is there any more, and no connection to it. Absent is fine. */
  drop(name: string): Promise<void>;
  /** Every database and user of this deployment's, except those that are only tried and still may be. */
  list(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The networks an engine keeps for instances. */
export interface Networks {
  /** Those of this deployment that it has no use for (any more). */
  strays(): Promise<readonly string[]>;
  /** All of this deployment's. */
  own(): Promise<readonly string[]>;
  /** Absent is fine. Throws engine_unavailable, and container_failed while something is still in it. */
  remove(name: string): Promise<void>;
}

export interface Probe {
  /** Polls (50 ms) until the answer's status is below 400. Throws not_ready_in_time with the last thing seen. */
  untilOk(
    target: { readonly url: string; readonly hostname?: string; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<void>;
  /** Whether anything listens there: `silent` when neither a yes nor a no came in time. */
  listens(upstream: Upstream, timeoutMs: number): Promise<'listens' | 'refuses' | 'silent'>;
  /** One request, JSON if there is a body; the answer's body is cut at 64 KiB. Throws whatever kept it from being answered. */
  ask(
    target: { readonly url: string; readonly body?: object; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: string }>;
}

export interface TaskQueue {
  publishProvision(tasks: readonly ProvisionTask[]): Promise<void>;
  publishCleanup(task: CleanupTask): Promise<void>;
  /** Provision tasks in the stream: waiting for their first delivery, or handed out and not done. Throws queue_unavailable. */
  provisions(): Promise<{ readonly waiting: number; readonly outstanding: number }>;
}

export interface TaskContext {
  /** 1 for the first delivery. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/**
 * What the queue's workers call. A throw means: try again after the backoff, until the attempts are used up; a TryItNowError
 * that is not retryable means: give up at once.
 */
export interface TaskHandlers {
  provision(task: ProvisionTask, context: TaskContext): Promise<void>;
  cleanup(task: CleanupTask, context: TaskContext): Promise<void>;
  /**
   * Given up, or could not be read (then undefined): it is kept as dead. `unseen`: its workers died over it, so no attempt
   * was seen to fail.
   */
  abandoned(task: ProvisionTask | CleanupTask | undefined, reason: string, unseen: boolean): Promise<void>;
}

export interface NodeRegistry {
  /** Tells where this node's instances are reached, and what runs them. */
  announce(engine: ContainerRuntime['engine']): Promise<void>;
  /** What ran this node's instances when it was last announced; undefined for one that never was. Throws store_unavailable. */
  engine(): Promise<ContainerRuntime['engine'] | undefined>;
  /** The last announcement of each node, as a text that is another with each. Throws store_unavailable. */
  announcements(): Promise<ReadonlyMap<string, string>>;
}

export interface Proxy {
  /** Looks only. Throws proxy_unavailable. */
  check(): Promise<'present' | 'missing' | 'different'>;
  /** Puts our server into the proxy's configuration if it is not there as it should be. Throws proxy_unavailable. */
  ensure(): Promise<'unchanged' | 'written'>;
}

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
  'ticket',
  'proxy',
] as const;
export type RepairKind = (typeof REPAIR_KINDS)[number];

/** What is counted. Implemented by the metrics; every label value comes from a bounded set. */
export interface Observer {
  /** `replaced`: taken, or had again, and found dead. */
  take(template: string, outcome: TakeOutcome['kind'] | 'replaced' | 'error', durationMs: number): void;
  /** Whether what was taken is alive, looked at before it is handed out. */
  deliveryChecked(template: string, durationMs: number): void;
  /** The whole of a request that ended with an instance, a replacement of a dead one included. */
  acquired(template: string, durationMs: number): void;
  /** Refused because the address has had its share. */
  limited(template: string, window: 'hourly' | 'daily'): void;
  provision(template: string, method: ProvisionMethod, status: 'success' | 'failure', durationMs: number): void;
  provisionPhase(template: string, phase: ProvisionPhase, durationMs: number): void;
  provisionFailed(template: string, code: ErrorCode): void;
  release(template: string, reason: ReleaseReason): void;
  cleanup(template: string, status: 'success' | 'failure', durationMs: number): void;
  expiryLag(ms: number): void;
  repaired(kind: RepairKind, count: number): void;
  /** How many things were out of order at a look at the books and the world; undefined for kinds that could not be looked at. */
  surveyed(found: Readonly<Record<RepairKind, number | undefined>>): void;
  /** A ready instance was looked at. */
  stockChecked(template: string, healthy: boolean): void;
  /** The breaker of a template opened or closed. */
  breaker(template: string, open: boolean): void;
}
