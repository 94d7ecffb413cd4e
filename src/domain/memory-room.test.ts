import { expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import { memoryRoom } from './memory-room.ts';
import type { FleetNode, Heartbeat } from './node.ts';

const GIB = 2 ** 30;
const [here, there] = [
  { name: 'tiny', nodes: ['here'] },
  { name: 'tiny', nodes: ['there'] },
];
const anywhere = { name: 'tiny', nodes: [] };

/** With memory for so many of one GiB, beside what is kept free. */
function host(name: string, most: number, heartbeat: Partial<Heartbeat> = {}, free = 100): FleetNode {
  const memory = { total: 100 * GIB, available: (4.5 + most) * GIB };
  return fleetNode({ name, freePorts: free, heartbeat: { labels: [name], memory, ...heartbeat } });
}

it('has what is taken missing where it goes, and nowhere else', () => {
  const room = memoryRoom([host('here', 3), host('there', 2)]);
  room.begun(here, GIB, 1);
  room.take(here, GIB, 2);
  expect([room.more(here, GIB), room.more(there, GIB), room.more(anywhere, GIB)]).toEqual([0, 2, 2]);
  room.take(anywhere, GIB, 1);
  expect(room.more(anywhere, GIB)).toBe(1);
});

it('counts all that is being started, and of what is to be no more than fits', () => {
  const room = memoryRoom([host('here', 3)]);
  room.take(here, 2 * GIB, 5);
  expect(room.more(here, GIB)).toBe(1);
  room.begun(here, GIB, 5);
  expect(room.more(here, GIB)).toBe(0);
});

it('has no more than hosts have places for, also where their memory is not known', () => {
  const { memory: _, ...unknown } = host('here', 0).heartbeat ?? {};
  const room = memoryRoom([{ ...host('here', 0), heartbeat: unknown as Heartbeat, placed: 1, freePorts: 4 }]);
  expect(room.more(here, GIB)).toBe(3);
  room.take(here, GIB, 2);
  expect(room.more(here, GIB)).toBe(1);
});

it('counts hosts that a template fails on where it is tried there, and only then', () => {
  const failing = host('here', 3, { templates: { tiny: 'no image' } });
  expect(memoryRoom([failing]).more(anywhere, GIB)).toBe(3);
  expect(memoryRoom([failing, host('there', 2)]).more(anywhere, GIB)).toBe(2);
});
