/** What the admin API needs of the pool. Everything may throw store_unavailable or, where it is about the queue, queue_unavailable. */
import type { InstanceFilter, InstanceReading } from '../../pool/operate-instances.ts';
import type { PoolReading } from '../../pool/operate-pools.ts';
import type { BuriedTask, Purgeable, QueueInfo, QueuedTask } from '../../pool/operator-ports.ts';

export type { BuriedTask, InstanceReading, PoolReading, QueueInfo, QueuedTask };

export interface PoolOperators {
  pools(): Promise<readonly PoolReading[]>;
  /** Throws unknown_template, as the next three do. */
  pause(template: string, reason: string | undefined): Promise<PoolReading>;
  drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<PoolReading>;
  resume(template: string): Promise<PoolReading>;
  /** Undefined: as configured. Throws invalid_request too. */
  setTarget(template: string, target: number | undefined): Promise<PoolReading>;
}

export interface InstanceOperators {
  instances(filter: InstanceFilter): Promise<readonly InstanceReading[]>;
  /** Throws unknown_instance, as the next two do. */
  instance(id: string): Promise<InstanceReading>;
  endInstance(id: string): Promise<InstanceReading>;
  /** Throws other_node, container_failed, engine_unavailable too. */
  logs(id: string, tail: number): Promise<string>;
}

export interface QueueOperators {
  queue(): Promise<QueueInfo>;
  tasks(limit: number): Promise<readonly QueuedTask[]>;
  deadTasks(limit: number): Promise<readonly BuriedTask[]>;
  /** Throws unknown_task, as the next two do. */
  dropTask(sequence: number): Promise<QueuedTask>;
  retryTask(sequence: number): Promise<BuriedTask>;
  forgetDeadTask(sequence: number): Promise<BuriedTask>;
  retryAllTasks(): Promise<number>;
  purge(which: Purgeable): Promise<number>;
}

export type Operators = PoolOperators & InstanceOperators & QueueOperators;
