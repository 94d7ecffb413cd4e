import { publicOrigin, type PublicAddress } from '../domain/address.ts';
import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Reach } from './activate.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { Probe } from './interfaces/probe.ts';
import { failureOf, healthOf } from './readiness.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface HealthCheckDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'list'>;
  readonly probe: Probe;
  readonly runtime: ContainerRuntime;
  readonly address: PublicAddress;
  readonly node: { readonly name: string; readonly address: string };
}

/** One look that fails may be bad luck, or a busy machine's. */
const FAILURES_TO_REPLACE = 2;
const CONCURRENCY = 8;

/** Looks after this node's ready instances, so that a visitor is not the first to find a dead one. */
export class HealthCheck {
  readonly #deps: HealthCheckDeps;
  /** Failed looks in a row, by instance. */
  #failed: ReadonlyMap<string, number> = new Map();

  constructor(deps: HealthCheckDeps) {
    this.#deps = deps;
  }

  /** One look at each of them, at its app's own port. What fails twice in a row is replaced. */
  async round(signal: AbortSignal): Promise<void> {
    const { inventory, node, observer } = this.#deps;
    const ready = (await inventory.list()).filter((record) => record.state === 'ready' && record.node === node.name);
    const failed = new Map<string, number>();
    const queue = [...ready];
    const checkNext = async (): Promise<void> => {
      for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
        const healthy = await this.#answers(record, signal);
        // Cut off, it says nothing about the instance.
        if (signal.aborted) return;
        if (healthy === undefined) continue;
        observer.healthChecked(record.template, healthy);
        if (!healthy) failed.set(record.id, (this.#failed.get(record.id) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, checkNext));
    if (signal.aborted) return;
    this.#failed = failed;
    await this.#replace(
      ready.filter(({ id }) => (failed.get(id) ?? 0) >= FAILURES_TO_REPLACE),
      ready,
    );
  }

  /** Undefined for one that cannot be checked: its template is no longer offered, so the reconciler retires it. */
  async #answers(
    { template: name, port, container, label }: Instance,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    const { catalogue, node, address } = this.#deps;
    const template = catalogue.get(name);
    if (template === undefined || port === null) return undefined;
    const reach: Reach = {
      container,
      origin: `http://${node.address}:${port}`,
      upstream: { address: node.address, port },
      visitor: publicOrigin(address, label),
    };
    return (await failureOf(this.#deps, healthOf(template), reach, signal).catch(describeError)) === undefined;
  }

  /**
   * At most half of a template's in one round, so that a fault of ours, or of the whole machine, does not empty its
   * pool at once.
   */
  async #replace(unhealthy: readonly Instance[], ready: readonly Instance[]): Promise<void> {
    const { log } = this.#deps;
    for (const name of new Set(unhealthy.map(({ template }) => template))) {
      const of = (records: readonly Instance[]) => records.filter(({ template }) => template === name);
      const allowed = Math.max(1, Math.floor(of(ready).length / 2));
      for (const record of of(unhealthy).slice(0, allowed)) {
        // A visitor who has taken it meanwhile changed the generation; whether it serves him is checked on the way.
        const gone = await releaseInstance(this.#deps, record, 'unhealthy', {
          from: ['ready'],
          generation: record.generation,
        });
        if (gone !== undefined)
          log.warn(
            { instance: record.id, template: name, container: record.container },
            'A ready instance does not answer any more; it is replaced',
          );
      }
    }
  }
}
