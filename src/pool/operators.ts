import {
  drainPool,
  pausePool,
  readPools,
  resumePool,
  setPoolTarget,
  type OperatePoolsParts,
  type PoolReading,
} from './operate-pools.ts';
import {
  endInstance,
  instanceLogs,
  listInstances,
  showInstance,
  type InstanceFilter,
  type InstanceReading,
  type OperateInstancesParts,
} from './operate-instances.ts';
import { dropTask, forgetDeadTask, purgeQueue, retryTask, type OperateQueueParts } from './operate-queue.ts';
import type { BuriedTask, Purgeable, QueueInfo, QueuedTask } from './operator-ports.ts';

export type OperatorsParts = OperatePoolsParts & OperateInstancesParts & OperateQueueParts;

/** What an operator can do, each a use case of its own. */
export class PoolOperators {
  readonly #parts: OperatorsParts;

  constructor(parts: OperatorsParts) {
    this.#parts = parts;
  }

  pools(): Promise<readonly PoolReading[]> {
    return readPools(this.#parts);
  }

  pause(template: string, reason: string | undefined): Promise<PoolReading> {
    return pausePool(this.#parts, template, reason);
  }

  drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<PoolReading> {
    return drainPool(this.#parts, template, withinMs, reason);
  }

  resume(template: string): Promise<PoolReading> {
    return resumePool(this.#parts, template);
  }

  setTarget(template: string, target: number | undefined): Promise<PoolReading> {
    return setPoolTarget(this.#parts, template, target);
  }

  instances(filter: InstanceFilter): Promise<readonly InstanceReading[]> {
    return listInstances(this.#parts, filter);
  }

  instance(id: string): Promise<InstanceReading> {
    return showInstance(this.#parts, id);
  }

  endInstance(id: string): Promise<InstanceReading> {
    return endInstance(this.#parts, id);
  }

  logs(id: string, tail: number): Promise<string> {
    return instanceLogs(this.#parts, id, tail);
  }

  queue(): Promise<QueueInfo> {
    return this.#parts.desk.info();
  }

  tasks(limit: number): Promise<readonly QueuedTask[]> {
    return this.#parts.desk.peek(limit);
  }

  dropTask(sequence: number): Promise<QueuedTask> {
    return dropTask(this.#parts, sequence);
  }

  deadTasks(limit: number): Promise<readonly BuriedTask[]> {
    return this.#parts.desk.dead(limit);
  }

  retryTask(sequence: number): Promise<BuriedTask> {
    return retryTask(this.#parts, sequence);
  }

  retryAllTasks(): Promise<number> {
    return this.#parts.desk.retryAll();
  }

  forgetDeadTask(sequence: number): Promise<BuriedTask> {
    return forgetDeadTask(this.#parts, sequence);
  }

  purge(which: Purgeable): Promise<number> {
    return purgeQueue(this.#parts, which);
  }
}
