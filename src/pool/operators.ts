import {
  drainPool,
  pausePool,
  listPools,
  resumePool,
  setPoolTarget,
  type OperatePoolsDeps,
  type PoolSnapshot,
} from './operate-pools.ts';
import {
  endInstance,
  instanceLogs,
  listInstances,
  showInstance,
  type InstanceFilter,
  type InstanceSnapshot,
  type OperateInstancesDeps,
} from './operate-instances.ts';
import { dropTask, forgetDeadTask, purgeQueue, retryTask, type OperateQueueDeps } from './operate-queue.ts';
import type { DeadTask, PurgeTarget, QueueInfo, QueuedTask } from './interfaces/queue-admin.ts';

export type OperatorsDeps = OperatePoolsDeps & OperateInstancesDeps & OperateQueueDeps;

/** What an operator can do, each a use case of its own. */
export class PoolOperators {
  readonly #deps: OperatorsDeps;

  constructor(deps: OperatorsDeps) {
    this.#deps = deps;
  }

  pools(): Promise<readonly PoolSnapshot[]> {
    return listPools(this.#deps);
  }

  pause(template: string, reason: string | undefined): Promise<PoolSnapshot> {
    return pausePool(this.#deps, template, reason);
  }

  drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<PoolSnapshot> {
    return drainPool(this.#deps, template, withinMs, reason);
  }

  resume(template: string): Promise<PoolSnapshot> {
    return resumePool(this.#deps, template);
  }

  setTarget(template: string, target: number | undefined): Promise<PoolSnapshot> {
    return setPoolTarget(this.#deps, template, target);
  }

  instances(filter: InstanceFilter): Promise<readonly InstanceSnapshot[]> {
    return listInstances(this.#deps, filter);
  }

  instance(id: string): Promise<InstanceSnapshot> {
    return showInstance(this.#deps, id);
  }

  endInstance(id: string): Promise<InstanceSnapshot> {
    return endInstance(this.#deps, id);
  }

  logs(id: string, tail: number): Promise<string> {
    return instanceLogs(this.#deps, id, tail);
  }

  queue(): Promise<QueueInfo> {
    return this.#deps.queueAdmin.info();
  }

  tasks(limit: number): Promise<readonly QueuedTask[]> {
    return this.#deps.queueAdmin.peek(limit);
  }

  dropTask(sequence: number): Promise<QueuedTask> {
    return dropTask(this.#deps, sequence);
  }

  deadTasks(limit: number): Promise<readonly DeadTask[]> {
    return this.#deps.queueAdmin.listDead(limit);
  }

  retryTask(sequence: number): Promise<DeadTask> {
    return retryTask(this.#deps, sequence);
  }

  retryAllTasks(): Promise<number> {
    return this.#deps.queueAdmin.retryAll();
  }

  forgetDeadTask(sequence: number): Promise<DeadTask> {
    return forgetDeadTask(this.#deps, sequence);
  }

  purge(which: PurgeTarget): Promise<number> {
    return purgeQueue(this.#deps, which);
  }
}
