import { expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import { template } from '../../test/support/templates.ts';
import { whyNobodyTries } from './image-trial-host.ts';
import type { FleetNode } from './node.ts';

const host = (name: string, labels: readonly string[], more: Partial<FleetNode> = {}): FleetNode => ({
  ...fleetNode({ name, heartbeat: { labels: [...labels] } }),
  ...more,
});
const cordoned = { control: { mode: 'cordoned', sinceMs: 0, deadlineMs: undefined, overdue: false } } as const;
const silent = { heartbeat: undefined };
const gpu = template({ name: 'a', nodes: ['gpu'] });
const eu = template({ name: 'b', nodes: ['eu'] });

it.each<[string, Parameters<typeof whyNobodyTries>[0]['deciding'], readonly FleetNode[], string | undefined]>([
  ['a host', [template()], [host('node0', [])], undefined],
  ['no host so far', [template()], [], undefined],
  ['a host with all labels', [gpu, eu], [host('node0', ['eu']), host('node1', ['gpu', 'eu'])], undefined],
  [
    'no host with all of them',
    [gpu, eu],
    [host('node0', ['eu']), host('node1', ['gpu'])],
    'no host has the labels eu and gpu, which a, b ask for',
  ],
  ['no host with the label', [gpu], [host('node0', [])], 'no host has the label gpu, which a asks for'],
  [
    'one whose labels nobody knows now',
    [gpu],
    [host('node0', []), host('node1', [], silent)],
    'no host has the label gpu, which a asks for; node1: it is silent',
  ],
  ['one that is cordoned', [gpu], [host('node0', []), host('node1', ['gpu'], cordoned)], 'node1: it is cordoned'],
  [
    'none that begins anything',
    [template()],
    [host('node0', [], cordoned), host('node1', [], silent)],
    'node0: it is cordoned; node1: it is silent',
  ],
])('with %s: why none tries an image', (_, deciding, nodes, why) => {
  expect(whyNobodyTries({ deciding }, nodes)).toBe(why);
});
