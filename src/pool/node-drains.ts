import type { Instance } from '../domain/instance.ts';
import type { FleetNode } from '../domain/node.ts';
import type { Inventory, PoolStats } from './interfaces/inventory.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Turn } from './interfaces/turn.ts';
import { recallTickets, type RecallDeps } from './recall-tickets.ts';
import { releaseEach } from './release.ts';

export interface NodeDrainsDeps extends RecallDeps {
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly inventory: Pick<Inventory, 'readyOn' | 'visits' | 'stats'>;
  /** Of several servers one withdraws at a time. */
  readonly turn: Turn;
}

/** The look that finds lost nodes, each second, serves this as well. */
const SEEN_AGO_MS = 1_000;
/** How long a server has its turn: a few rounds. */
const TURN_MS = 5_000;
/** So many at most have successors made before they go, and then the next: hosts start a few dozen at a time. */
const MOST_REPLACED = 200;

/**
 * Carries out what operators decide about nodes. A drained node's ready instances go as others become ready elsewhere,
 * so that the pool does not fall below its target while other nodes have room; visits end by themselves, or at the
 * deadline. Tickets of nodes that begin nothing are taken back.
 */
export class NodeDrains {
  readonly #deps: NodeDrainsDeps;
  #leaving = new Map<string, Instance[]>();

  constructor(deps: NodeDrainsDeps) {
    this.#deps = deps;
  }

  /** The ids of ready instances of the template on nodes that are drained and go next, as last looked. */
  leavingReady(template: string): readonly string[] {
    const leaving = this.#leaving.get(template) ?? [];
    return leaving.slice(0, MOST_REPLACED).map(({ id }) => id);
  }

  /** Throws store_unavailable, queue_unavailable. */
  async round(): Promise<void> {
    const { registry, inventory, requestRefill, turn } = this.#deps;
    const nodes = await registry.nodes(SEEN_AGO_MS);
    const draining = nodes.filter(({ control }) => control.mode === 'draining');
    const ready = new Map<FleetNode, Instance[]>();
    for (const node of draining) ready.set(node, await inventory.readyOn(node.name));
    this.#leaving = byTemplate([...ready.values()].flat());
    if (this.#leaving.size > 0) requestRefill();
    if (!(await turn.take(TURN_MS))) return;
    for (const [{ name, control }, idle] of ready) {
      if (!control.overdue) continue;
      await releaseEach(this.#deps, idle, 'node_drained', ['ready']);
      await releaseEach(this.#deps, await inventory.visits(name), 'node_drained', ['assigned']);
    }
    if (this.#leaving.size > 0) await this.#withdraw();
    await recallTickets(this.#deps, nodes);
  }

  async #withdraw(): Promise<void> {
    const { inventory, catalogue } = this.#deps;
    const stats = await inventory.stats(catalogue.all());
    for (const [template, ready] of this.#leaving) {
      // A template that is no longer offered needs none.
      const pool = stats.get(template);
      const going = pool === undefined ? ready : ready.slice(0, dispensable(pool));
      await releaseEach(this.#deps, going, 'node_drained', ['ready']);
    }
  }
}

/**
 * What is ready beyond the target. A pool that is at its capacity cannot have its successors made first: half of the
 * target stays then.
 */
function dispensable({ ready, target, warming, assigned, leaving, capacity }: PoolStats): number {
  const isFull = ready + warming + assigned + leaving >= capacity;
  return Math.max(0, ready - (isFull && warming + leaving === 0 ? Math.floor(target / 2) : target));
}

/** In an order that every server finds. */
function byTemplate(ready: readonly Instance[]): Map<string, Instance[]> {
  const found = new Map<string, Instance[]>();
  for (const record of ready.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const those = found.get(record.template);
    if (those === undefined) found.set(record.template, [record]);
    else those.push(record);
  }
  return found;
}
