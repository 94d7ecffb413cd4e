import type { FleetNode } from './node.ts';
import { MEMORY_RESERVE, placeable, type Demand } from './placement.ts';

/** Of which there is room for more on a host. */
export interface Room {
  /** How many more of so many bytes hosts can hold, with `spoken` of it taken by what is not there yet. */
  more(template: Demand, bytes: number): number;
  /** So many bytes are going to be used. */
  take(bytes: number): void;
}

/**
 * By what hosts said last. Each instance counts with its limits until it is there, and then with what it really takes,
 * which is missing from what the host has available.
 */
export function memoryRoom(nodes: readonly FleetNode[]): Room {
  let taken = 0;
  return {
    more: (template, bytes) => {
      const all = placeable(nodes, template).reduce((sum, node) => sum + roomOn(node, bytes), 0);
      return Math.max(0, all - Math.ceil(taken / bytes));
    },
    take: (bytes) => {
      taken += bytes;
    },
  };
}

function roomOn({ heartbeat, held, placed, freePorts }: FleetNode, bytes: number): number {
  const places = Math.min((heartbeat?.capacity ?? Infinity) - held - placed, freePorts - placed);
  const { memory } = heartbeat ?? {};
  if (memory === undefined) return Math.max(0, places);
  const free = memory.available - memory.total * MEMORY_RESERVE;
  return Math.max(0, Math.min(places, Math.floor(free / bytes)));
}
