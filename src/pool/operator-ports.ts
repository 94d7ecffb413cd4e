/** What the operator's actions need of the outside. Apart from ports.ts, because nothing a visitor does needs any of it. */
/** `open`: as configured. `paused`: nothing is handed out, stock stays warm. `draining`: stock goes as well, and what visitors hold by the deadline. */
export const POOL_MODES = ['open', 'paused', 'draining'] as const;
export type PoolMode = (typeof POOL_MODES)[number];

/** What an operator has decided for one template; it survives restarts. */
export interface PoolControl {
  readonly mode: PoolMode;
  readonly sinceMs: number | undefined;
  /** When what visitors still hold is ended; undefined: it may run out. */
  readonly deadlineMs: number | undefined;
  /** In the operator's words; visitors see it. */
  readonly reason: string | undefined;
  /** In place of the configured one. */
  readonly target: number | undefined;
}

export interface PoolControls {
  read(templates: readonly string[]): Promise<ReadonlyMap<string, PoolControl>>;
  pause(template: string, reason: string | undefined): Promise<void>;
  /** `withinMs`: until visitors' instances are ended; undefined: they run out by themselves. Returns the deadline. */
  drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<number | undefined>;
  /** Open again. The target stays as it was set. */
  resume(template: string): Promise<void>;
  /** Undefined: as configured again. */
  setTarget(template: string, target: number | undefined): Promise<void>;
}

export interface AuditEntry {
  readonly atMs: number;
  /** Tells operators apart without giving a key away. */
  readonly who: string;
  readonly action: string;
  readonly on: string;
  /** `done`, or the code of the error. */
  readonly outcome: string;
}

/** Who did what to the deployment; the newest some thousands are kept. */
export interface AuditLog {
  record(entry: Omit<AuditEntry, 'atMs'>): Promise<void>;
  /** Newest first. */
  recent(limit: number): Promise<readonly AuditEntry[]>;
}

/** How a template's refills go. */
export interface BreakerReading {
  /** Too many failed in a row: nothing is refilled for `pauseMs`, and from then on one at a time until one comes up. */
  readonly open: boolean;
  readonly failures: number;
  readonly pauseMs: number;
}

export interface Breakers {
  read(templates: readonly string[]): Promise<ReadonlyMap<string, BreakerReading>>;
}

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
    /** Workers that ask for a task right now. */
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
export interface BuriedTask extends QueuedTask {
  readonly reason: string;
  readonly attempts: number;
  readonly diedAtMs: number;
}

export const PURGEABLE = ['provision', 'cleanup', 'dead'] as const;
export type Purgeable = (typeof PURGEABLE)[number];

/** The queue as an operator sees it. Everything throws queue_unavailable. */
export interface QueueDesk {
  info(): Promise<QueueInfo>;
  /** The oldest first; takes nothing out. */
  peek(limit: number): Promise<readonly QueuedTask[]>;
  /** Takes a task out, whoever works on it; undefined when there is none of this sequence. */
  drop(sequence: number): Promise<QueuedTask | undefined>;
  /** The oldest first. */
  dead(limit: number): Promise<readonly BuriedTask[]>;
  /** Queues a dead task again, as it was; undefined when there is none of this sequence. */
  retry(sequence: number): Promise<BuriedTask | undefined>;
  /** All that are dead now. Returns how many. */
  retryAll(): Promise<number>;
  forget(sequence: number): Promise<BuriedTask | undefined>;
  /** Returns how many were thrown away. */
  purge(which: Purgeable): Promise<number>;
}
