import type { Instance } from '../../domain/instance.ts';
import type { Template } from '../../domain/template.ts';
import type { TicketRef } from './provisioning-store.ts';

export interface PoolStats {
  readonly ready: number;
  readonly assigned: number;
  readonly warming: number;
  /** Releasing or quarantined. */
  readonly leaving: number;
  /** Visitors who wait for one. */
  readonly waiting: number;
  readonly target: number;
  readonly capacity: number;
}

/** Instances of a node that hold a port there, by state. */
export type NodeCounts = Readonly<Record<'warming' | 'ready' | 'assigned' | 'leaving', number>>;

/** The recorded state, for the reconciler and for people. */
export interface Inventory {
  stats(templates: readonly Template[]): Promise<ReadonlyMap<string, PoolStats>>;
  /**
   * Every readable record. Unreadable ones are logged, counted and left alone. `unhurried`: rests in between, so that
   * whatever else this process and the store do hardly notices.
   */
  list(options?: { readonly unhurried?: boolean }): Promise<Instance[]>;
  /** What is being taken down, or could not be. Costs by that alone, however many others there are. */
  leaving(): Promise<Instance[]>;
  /** Of each template the ready one whose life ends first. */
  oldestReady(templates: readonly string[]): Promise<Instance[]>;
  /** Of these templates what waits for a visitor or has one. Costs by that alone, however many others there are. */
  readyOrAssigned(templates: readonly string[]): Promise<Instance[]>;
  /** What is handed out on this node. Costs by what this node holds, whatever other nodes do. */
  visits(node: string): Promise<Instance[]>;
  /** What waits for a visitor there. As `visits`. */
  readyOn(node: string): Promise<Instance[]>;
  /** Of each template how many are being taken down there, or could not be. None of their records is read. */
  leavingOn(node: string): Promise<ReadonlyMap<string, number>>;
  /** Everything that holds a port on this node, in whichever state: all that has a container there. As `visits`. */
  ofNode(node: string): Promise<Instance[]>;
  /** How many those are, without reading them; each node that is asked for has an entry. */
  countByNode(nodes: readonly string[]): Promise<ReadonlyMap<string, NodeCounts>>;
  /** Also for a record of another version, which `list` and `find` skip: what hangs on it is not ours to change. */
  isRecorded(id: string): Promise<boolean>;
  /** The database of every record, readable or not. */
  databases(): Promise<readonly string[]>;
  /** Whether there is any ticket at all. */
  hasTickets(): Promise<boolean>;
  /** Tickets past their deadline: at most some hundreds at a time. */
  expiredTickets(): Promise<TicketRef[]>;
  /**
   * Tickets that nobody works on and that were not reserved within the last 10 s: only a task in the queue can still
   * bring them up. Look here first and into the queue then. At most some hundreds at a time. `newOnesToo`: however new.
   */
  idleTickets(options?: { readonly newOnesToo?: boolean }): Promise<TicketRef[]>;
  /** Reads only: what those below would repair, but ports. `seen` is a recent `list`. */
  inconsistencies(seen: readonly Instance[]): Promise<readonly Inconsistency[]>;
  /** Reads only: what is wrong with this node's ports. `seen` is a recent `list`, or `ofNode`, which sees less. */
  inconsistentPorts(seen: readonly Instance[]): Promise<readonly Inconsistency[]>;
  /**
   * Makes the port sets agree with the range and the records: available + cooling + held = range. Returns repairs made.
   */
  reconcilePorts(): Promise<number>;
  /**
   * Makes the pool sets agree with the records. `seen` is a recent `list`: where to look; the store looks again for
   * itself before it changes anything. Returns repairs made.
   */
  reconcileIndexes(seen: readonly Instance[]): Promise<number>;
  /** The same for host names. */
  reconcileHostnames(seen: readonly Instance[]): Promise<number>;
  /** Takes out what is no number, or no mode, where one belongs that is decided per template. Returns repairs made. */
  reconcileSettings(): Promise<number>;
}

export interface Inconsistency {
  readonly kind: 'port' | 'index' | 'hostname' | 'setting';
  readonly what: string;
  /** A clause for people. */
  readonly why: string;
}
