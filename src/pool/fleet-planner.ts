import type { Log } from '../domain/log.ts';
import { Placement } from '../domain/place-tickets.ts';
import type { PlacementStrategy } from '../domain/placement.ts';
import type { Template } from '../domain/template.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';

export interface FleetPlannerDeps {
  readonly registry: Pick<NodeRegistry, 'nodes' | 'place'>;
  readonly placement: PlacementStrategy;
  readonly log: Log;
}

/**
 * Decides which node makes which instance, from what nodes said last. Two servers that plan at once may give a node a
 * few more than its share: what it cannot take, it refuses itself.
 */
export class FleetPlanner {
  readonly #deps: FleetPlannerDeps;
  /** Why each node is left out, by template: said once for each reason. */
  readonly #leftOut = new Map<string, string>();

  constructor(deps: FleetPlannerDeps) {
    this.#deps = deps;
  }

  /** For one round of planning. Throws store_unavailable. */
  async look(): Promise<Placement> {
    return new Placement(await this.#deps.registry.nodes(), this.#deps.placement);
  }

  /** Gives each ticket its node, where `placement` has room for all of them. Throws store_unavailable. */
  async assign(
    placement: Placement,
    template: Template,
    tickets: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const assigned = new Map<string, string>();
    const byNode = new Map<string, string[]>();
    for (const ticket of tickets) {
      const node = placement.place(template);
      if (node === undefined) throw new Error(`there is no room for ${tickets.length} tickets of ${template.name}`);
      assigned.set(ticket, node);
      byNode.set(node, [...(byNode.get(node) ?? []), ticket]);
    }
    await Promise.all([...byNode].map(([node, ids]) => this.#deps.registry.place(node, ids)));
    return assigned;
  }

  /** Says in the log which nodes are left out, where that changed. */
  tell(placement: Placement, template: Template): void {
    const leftOut = placement.leftOut(template);
    for (const [node, reason] of leftOut) {
      if (this.#leftOut.get(key(template, node)) === reason) continue;
      this.#leftOut.set(key(template, node), reason);
      this.#deps.log.warn({ node, template: template.name, reason }, 'A node gets no instances of a template');
    }
    for (const known of this.#leftOut.keys()) {
      const [name, node = ''] = known.split(' ');
      if (name !== template.name || leftOut.has(node)) continue;
      this.#leftOut.delete(known);
      this.#deps.log.info({ node, template: name }, 'A node gets instances of a template again');
    }
  }
}

function key({ name }: Template, node: string): string {
  return `${name} ${node}`;
}
