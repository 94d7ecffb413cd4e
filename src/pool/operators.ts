import { drainPool, pausePool, readPools, resumePool, setPoolTarget, type OperatePoolsParts, type PoolReading } from './operate-pools.ts';

/** What an operator can do, each a use case of its own. */
export class PoolOperators {
  readonly #parts: OperatePoolsParts;

  constructor(parts: OperatePoolsParts) {
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
}
