import { describe, expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import type { FleetNode } from './node.ts';
import { Placement } from './place-tickets.ts';
import { avoidances, obstacleTo, placeable } from './placement.ts';

const tiny = { name: 'tiny', nodes: [] };
const decided = (mode: FleetNode['control']['mode']): FleetNode['control'] => ({ ...fleetNode().control, mode });
const silent: FleetNode = { ...fleetNode(), heartbeat: undefined };

describe('What speaks against a node', () => {
  it.each<readonly [string, FleetNode, readonly string[], string | undefined, boolean | undefined]>([
    ['idle', fleetNode(), [], undefined, undefined],
    ['silent', silent, [], 'it is silent', true],
    ['cordoned', fleetNode({ control: decided('cordoned') }), [], 'it is cordoned', true],
    ['drained', fleetNode({ control: decided('draining') }), [], 'it is being drained', true],
    [
      'its disk',
      fleetNode({ heartbeat: { disk: { total: 9, free: 1, low: true } } }),
      [],
      'its disk is nearly full',
      true,
    ],
    [
      'full',
      fleetNode({ held: 2, placed: 1, heartbeat: { capacity: 3 } }),
      [],
      'it holds as many instances as it may (3)',
      true,
    ],
    ['one below full', fleetNode({ held: 2, heartbeat: { capacity: 3 } }), [], undefined, undefined],
    ['labelled', fleetNode({ heartbeat: { labels: ['gpu', 'eu'] } }), ['eu', 'gpu'], undefined, undefined],
    ['a label of two', fleetNode({ heartbeat: { labels: ['gpu'] } }), ['eu', 'gpu'], 'it lacks the label eu', true],
    ['another template', fleetNode({ heartbeat: { templates: {} } }), [], 'it does not offer this template', true],
    ['no image', fleetNode({ heartbeat: { templates: { tiny: 'no image' } } }), [], 'no image', false],
    [
      'memory',
      fleetNode({ heartbeat: { memory: { total: 100, available: 3 } } }),
      [],
      'next to no memory is available',
      true,
    ],
    ['memory enough', fleetNode({ heartbeat: { memory: { total: 100, available: 4 } } }), [], undefined, undefined],
    ['no port', fleetNode({ freePorts: 2, placed: 2 }), [], 'it has no free port', false],
  ])('%s', (_, node, nodes, reason, strict) => {
    const obstacle = obstacleTo(node, { name: 'tiny', nodes });
    expect([obstacle?.reason, obstacle?.strict]).toEqual([reason, strict]);
  });
});

describe('What comes of it', () => {
  const [sound, other] = [fleetNode({ name: 'sound' }), fleetNode({ name: 'other' })];
  const failing = fleetNode({ name: 'failing', heartbeat: { templates: { tiny: 'it failed' } } });
  const [unsteady, closed] = [fleetNode({ name: 'unsteady', losses: 2 }), { ...silent, name: 'closed' }];

  it.each<readonly [string, readonly FleetNode[], Record<string, boolean>]>([
    ['nothing where all can', [sound, other], {}],
    ['it is given none while another can', [sound, failing, closed], { failing: false, closed: false }],
    ['a single host is tried all the same', [failing], { failing: true }],
    ['so are all of them that may be', [failing, unsteady, closed], { failing: true, unsteady: true, closed: false }],
    ['nobody is where all are closed', [closed], { closed: false }],
  ])('%s', (_, nodes, expected) => {
    const found = avoidances(nodes, tiny);
    expect(Object.fromEntries([...found].map(([name, { lastResort }]) => [name, lastResort]))).toEqual(expected);
    // What is said of them is what is done.
    const given = nodes.filter(({ name }) => found.get(name)?.lastResort !== false);
    expect(placeable(nodes, tiny)).toEqual(given);
    const leftOut = new Placement(nodes, 'spread').leftOut(tiny);
    expect(nodes.filter(({ name }) => !leftOut.has(name))).toEqual(given);
  });
});

/** How many of so many tickets each node is given. */
function shares(nodes: readonly FleetNode[], strategy: 'spread' | 'pack', tickets: number): Record<string, number> {
  const placement = new Placement(nodes, strategy);
  const counts: Record<string, number> = {};
  for (let ticket = 0; ticket < tickets; ticket += 1) {
    const node = placement.place(tiny) ?? 'nowhere';
    counts[node] = (counts[node] ?? 0) + 1;
  }
  return counts;
}

describe('Tickets', () => {
  const [a, b, c] = [fleetNode({ name: 'a' }), fleetNode({ name: 'b' }), fleetNode({ name: 'c' })];

  it.each<readonly [string, readonly FleetNode[], 'spread' | 'pack', number, Record<string, number>]>([
    ['are spread evenly', [c, a, b], 'spread', 9, { a: 3, b: 3, c: 3 }],
    ['go to the emptier first', [{ ...a, held: 10, freePorts: 90 }, b], 'spread', 12, { a: 1, b: 11 }],
    [
      'go by the share, not the number',
      [
        { ...a, freePorts: 10 },
        { ...b, freePorts: 30 },
      ],
      'spread',
      8,
      { a: 2, b: 6 },
    ],
    ['are packed', [c, { ...b, held: 1, freePorts: 99 }, a], 'pack', 9, { b: 9 }],
    [
      'are packed onto the next when one is full',
      [fleetNode({ name: 'a', heartbeat: { capacity: 4 } }), b],
      'pack',
      6,
      { a: 4, b: 2 },
    ],
    [
      'follow the memory where that is scarcer',
      [fleetNode({ name: 'a', heartbeat: { memory: { total: 100, available: 20 } } }), b],
      'spread',
      10,
      { b: 10 },
    ],
    [
      'avoid who cannot',
      [fleetNode({ name: 'a', heartbeat: { templates: { tiny: 'no image' } } }), b],
      'spread',
      4,
      { b: 4 },
    ],
    [
      'are tried all the same where nobody can',
      [fleetNode({ name: 'a', heartbeat: { templates: { tiny: 'no image' } } }), { ...silent, name: 'b' }],
      'spread',
      2,
      { a: 2 },
    ],
    ['go nowhere when all are closed', [{ ...silent, name: 'a' }], 'spread', 2, { nowhere: 2 }],
    ['go nowhere without a node', [], 'pack', 1, { nowhere: 1 }],
  ])('%s', (_, nodes, strategy, tickets, expected) => {
    expect(shares(nodes, strategy, tickets)).toEqual(expected);
  });

  it('are counted before they are given, and that takes nothing', () => {
    const placement = new Placement([fleetNode({ heartbeat: { capacity: 3 }, held: 1 })], 'spread');
    expect([placement.room(tiny, 16), placement.room(tiny, 1), placement.room(tiny, 16)]).toEqual([2, 1, 2]);
    expect(placement.place(tiny)).toBe('node0');
    expect(placement.room(tiny, 16)).toBe(1);
  });
});
