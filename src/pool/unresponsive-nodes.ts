import type { Clock } from '../domain/clock.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

/** Four rounds of a node's reconciler, each of which announces it. */
export const UNRESPONSIVE_AFTER_MS = 2 * 60_000;
/** Between two looks: after a longer gap it may have been the watcher who heard nothing. */
export const OBSERVATION_GAP_MS = 15_000;

export interface UnresponsiveNodesDeps extends ReleaseDeps {
  readonly registry: Pick<NodeRegistry, 'announcements'>;
  readonly inventory: Pick<Inventory, 'list'>;
  readonly clock: Clock;
  readonly node: { readonly name: string };
}

/**
 * Which other nodes have not announced themselves for two minutes, though the store was there all the time.
 * Told by their announcements staying the same, so that no two clocks are compared. A process that starts knows
 * of none for two minutes.
 */
export class UnresponsiveNodes {
  readonly #deps: UnresponsiveNodesDeps;
  readonly #heard = new Map<string, { readonly sign: string; readonly atMs: number }>();
  #silent: ReadonlySet<string> = new Set();
  #lookedAtMs = -Infinity;

  constructor(deps: UnresponsiveNodesDeps) {
    this.#deps = deps;
  }

  /**
   * One look. What a silent node has ready is given to nobody any more: its host may be dead, and then nothing refuses
   * a visitor's connection. Throws store_unavailable.
   */
  async check(): Promise<ReadonlySet<string>> {
    const { registry, clock, node, log } = this.#deps;
    const signs = await registry.announcements();
    const now = clock.now();
    if (now - this.#lookedAtMs > OBSERVATION_GAP_MS) this.#heard.clear();
    this.#lookedAtMs = now;
    for (const [name, sign] of signs)
      if (this.#heard.get(name)?.sign !== sign) this.#heard.set(name, { sign, atMs: now });
    const silent = new Set(
      [...signs.keys()].filter(
        (name) => name !== node.name && now - (this.#heard.get(name)?.atMs ?? now) >= UNRESPONSIVE_AFTER_MS,
      ),
    );
    const fallen = [...silent].filter((name) => !this.#silent.has(name));
    // Once: a node that is silent gets nothing ready. Noted afterwards, so that what fails is tried
    // again at the next look.
    if (fallen.length > 0) await this.#withdraw(fallen);
    for (const name of fallen)
      log.warn(
        { node: name, silentMs: UNRESPONSIVE_AFTER_MS },
        'A node is not heard of any more; what it has ready is not handed out, and its cleanups wait for it',
      );
    for (const name of this.#silent)
      if (!silent.has(name)) log.info({ node: name }, 'A node that was silent is heard of again');
    this.#silent = silent;
    return silent;
  }

  async #withdraw(nodes: readonly string[]): Promise<void> {
    const { inventory } = this.#deps;
    const stranded = (await inventory.list()).filter(({ node, state }) => state === 'ready' && nodes.includes(node));
    await Promise.all(
      stranded.map((instance) =>
        releaseInstance(this.#deps, instance, 'container_lost', { from: ['ready'], generation: instance.generation }),
      ),
    );
  }
}
