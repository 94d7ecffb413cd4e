import type { FleetNode } from './node.ts';
import { MEMORY_RESERVE, placeable, type Demand } from './placement.ts';

/** Of which there is room for more on hosts. `bytes`: what one of the template may take. */
export interface Room {
  /** How many more the hosts have that this template may be given to. */
  more(template: Demand, bytes: number): number;
  /** So many have a place there and are being started: their memory is missing nowhere so far. */
  begun(template: Demand, bytes: number, count: number): void;
  /** So many are going to be started; those that no host has room for take none. */
  take(template: Demand, bytes: number, count: number): void;
}

interface Host {
  free: number;
  places: number;
}

/**
 * By what hosts said last. Each instance counts with its limits until it is there, and then with what it really takes,
 * which is missing from what the host has available.
 */
export function memoryRoom(nodes: readonly FleetNode[]): Room {
  const hosts = new Map(nodes.map((node) => [node.name, hostOf(node)]));
  const hostsFor = (template: Demand): readonly Host[] =>
    placeable(nodes, template).flatMap(({ name }) => hosts.get(name) ?? []);
  return {
    more: (template, bytes) => hostsFor(template).reduce((sum, host) => sum + roomOn(host, bytes), 0),
    begun: (template, bytes, count) => {
      const may = hostsFor(template);
      for (let taken = 0; taken < count; taken += 1) {
        const host = best(may, ({ free }) => free);
        if (host !== undefined) host.free -= bytes;
      }
    },
    take: (template, bytes, count) => {
      const may = hostsFor(template);
      for (let taken = 0; taken < count; taken += 1) {
        const host = best(may, (each) => roomOn(each, bytes));
        if (host === undefined || roomOn(host, bytes) === 0) return;
        host.free -= bytes;
        host.places -= 1;
      }
    },
  };
}

function hostOf({ heartbeat, held, placed, freePorts }: FleetNode): Host {
  const { memory } = heartbeat ?? {};
  return {
    free: memory === undefined ? Infinity : memory.available - memory.total * MEMORY_RESERVE,
    places: Math.min((heartbeat?.capacity ?? Infinity) - held - placed, freePorts - placed),
  };
}

function roomOn({ free, places }: Host, bytes: number): number {
  return Math.max(0, Math.min(places, Math.floor(free / bytes)));
}

function best(hosts: readonly Host[], by: (host: Host) => number): Host | undefined {
  const [first, ...others] = hosts;
  return others.reduce((found, host) => (found !== undefined && by(host) > by(found) ? host : found), first);
}
