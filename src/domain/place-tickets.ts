import type { FleetNode } from './node.ts';
import { avoidances, placeable, type Demand, type PlacementStrategy } from './placement.ts';

/** Gives tickets to nodes, each counted from then on. Made for one round of planning, from one look at the fleet. */
export class Placement {
  readonly #strategy: PlacementStrategy;
  readonly #nodes: FleetNode[];

  constructor(nodes: readonly FleetNode[], strategy: PlacementStrategy) {
    this.#strategy = strategy;
    this.#nodes = [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** How many tickets of the template could be given to nodes now; no more than `most`. */
  room(template: Demand, most: number): number {
    const trial = new Placement(this.#nodes, this.#strategy);
    let room = 0;
    while (room < most && trial.place(template) !== undefined) room += 1;
    return room;
  }

  /** The node for one ticket; undefined when none may have it. */
  place(template: Demand): string | undefined {
    const [first, ...others] = placeable(this.#nodes, template);
    if (first === undefined) return undefined;
    const better = this.#strategy === 'spread' ? (a: number, b: number) => a < b : (a: number, b: number) => a > b;
    const chosen = others.reduce((best, node) => (better(fullness(node), fullness(best)) ? node : best), first);
    this.#nodes[this.#nodes.indexOf(chosen)] = { ...chosen, placed: chosen.placed + 1 };
    return chosen.name;
  }

  /** Why nodes are given none, by their name. */
  leftOut(template: Demand): ReadonlyMap<string, string> {
    return new Map(
      [...avoidances(this.#nodes, template)].flatMap(([name, { reason, lastResort }]) =>
        lastResort ? [] : [[name, reason] as const],
      ),
    );
  }
}

/**
 * The share that is used of what runs out first: the room for instances, or the memory. Tickets on their way use no
 * memory so far, which is why the instances count in any case.
 */
export function fullness({ heartbeat, held, placed, freePorts }: FleetNode): number {
  const room = heartbeat?.capacity ?? held + freePorts;
  const used = room === 0 ? 1 : (held + placed) / room;
  const { memory } = heartbeat ?? {};
  if (memory === undefined || memory.total === 0) return used;
  return Math.max(used, 1 - memory.available / memory.total);
}
