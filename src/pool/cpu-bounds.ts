import type { Consumption } from './interfaces/consumption.ts';

export type CpuBoundReason = 'unused' | 'crowded';

/** Who bounds the processors of visits, and how far: the lowest bound holds, and without any what the template says. */
export class CpuBounds {
  readonly #consumption: Pick<Consumption, 'limitCpu'>;
  readonly #bounds = new Map<string, ReadonlyMap<CpuBoundReason, number>>();

  constructor(consumption: Pick<Consumption, 'limitCpu'>) {
    this.#consumption = consumption;
  }

  /** `usual`: `limits.cpus` of the template. Without `cpus` this reason is over. Throws where it cannot be set. */
  async bound(container: string, usual: number, reason: CpuBoundReason, cpus?: number): Promise<void> {
    const bounds = new Map(this.#bounds.get(container));
    if (cpus === undefined) bounds.delete(reason);
    else bounds.set(reason, cpus);
    if (bounds.size === 0) this.#bounds.delete(container);
    else this.#bounds.set(container, bounds);
    await this.#consumption.limitCpu(container, this.of(container, usual));
  }

  /** How many processors it may use at present. */
  of(container: string, usual: number): number {
    return Math.min(usual, ...(this.#bounds.get(container)?.values() ?? []));
  }

  /** Of all that have ended. */
  keepOnly(containers: ReadonlySet<string>): void {
    for (const container of this.#bounds.keys()) if (!containers.has(container)) this.#bounds.delete(container);
  }
}
