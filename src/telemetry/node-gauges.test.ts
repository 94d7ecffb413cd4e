import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import type { NodeSnapshot } from '../pool/operate-nodes.ts';
import { CopyGauges } from './copy-gauges.ts';
import { NodeGauges } from './node-gauges.ts';

const TEMPLATES = ['hello', 'clock'];

const alive: NodeSnapshot = {
  ...fleetNode({
    heartbeat: {
      capacity: 10,
      memory: { total: 200, available: 50 },
      disk: { total: 1_000, free: 300, low: false },
      templates: { hello: 'no image', clock: '' },
      arrivals: {
        hello: { checkpoint: 'a', state: 'fetching', detail: '1 of 2 MB' },
        clock: { checkpoint: 'b', state: 'own', detail: '' },
      },
    },
    heartbeatAgeMs: 4_000,
    held: 5,
    placed: 1,
  }),
  state: 'active',
  instances: { warming: 2, ready: 3, assigned: 1, leaving: 0 },
  obstacles: new Map([['hello', { reason: 'no image', lastResort: true }]]),
};
const silent: NodeSnapshot = {
  ...alive,
  ...{ name: 'node1', heartbeat: undefined, heartbeatAgeMs: undefined, lostForMs: 2_500, state: 'draining' },
  control: { ...alive.control, mode: 'draining' },
  obstacles: new Map(TEMPLATES.map((template) => [template, { reason: 'it is silent', lastResort: false }])),
};

async function seriesOf(registry: Registry): Promise<string[]> {
  const lines = (await registry.metrics()).split('\n');
  return lines.flatMap((line) => (line.startsWith('try_it_now_') ? [line.slice('try_it_now_'.length)] : []));
}

it('nodes are shown as they are, and not once they are removed', async () => {
  const registry = new Registry();
  const gauges = new NodeGauges(registry);
  expect(await seriesOf(registry)).toEqual([]);
  const show = (nodes: readonly NodeSnapshot[]): void =>
    gauges.set({ nodes, templates: TEMPLATES, placement: 'spread' });
  show([alive, silent]);
  expect(await seriesOf(registry)).toEqual([
    'node_up{node="node0"} 1',
    'node_up{node="node1"} 0',
    'node_heartbeat_age_seconds{node="node0"} 4',
    'node_lost_seconds{node="node0"} 0',
    'node_lost_seconds{node="node1"} 2.5',
    'node_mode{node="node0",mode="active"} 1',
    'node_mode{node="node0",mode="cordoned"} 0',
    'node_mode{node="node0",mode="draining"} 0',
    'node_mode{node="node1",mode="active"} 0',
    'node_mode{node="node1",mode="cordoned"} 0',
    'node_mode{node="node1",mode="draining"} 1',
    ...['node0', 'node1'].flatMap((node) => [
      `node_instances{node="${node}",state="warming"} 2`,
      `node_instances{node="${node}",state="ready"} 3`,
      `node_instances{node="${node}",state="assigned"} 1`,
      `node_instances{node="${node}",state="leaving"} 0`,
    ]),
    'node_room{node="node0"} 4',
    'node_used_ratio{node="node0"} 0.75',
    'node_memory_bytes{node="node0"} 200',
    'node_memory_available_bytes{node="node0"} 50',
    'node_disk_bytes{node="node0"} 1000',
    'node_disk_free_bytes{node="node0"} 300',
    'node_unable_templates{node="node0"} 1',
    'node_checkpoint_at_hand{node="node0",template="hello"} 0',
    'node_checkpoint_at_hand{node="node0",template="clock"} 1',
    'pool_nodes{template="hello"} 1',
    'pool_nodes{template="clock"} 1',
    'placement_spread 1',
  ]);
  // Others can make it.
  show([{ ...alive, obstacles: new Map([['hello', { reason: 'no image', lastResort: false }]]) }, silent]);
  expect(await seriesOf(registry)).toContain('pool_nodes{template="hello"} 0');
  show([alive]);
  expect((await seriesOf(registry)).filter((line) => line.includes('node1'))).toEqual([]);
  gauges.set({ nodes: [], templates: [], placement: 'pack' });
  expect(await seriesOf(registry)).toEqual(['placement_spread 0']);
  gauges.set(undefined);
  expect(await seriesOf(registry)).toEqual([]);
});

it('streams of a cluster are shown as far as somebody can say', async () => {
  const registry = new Registry();
  const gauges = new CopyGauges(registry);
  gauges.set([
    { stream: 'TASKS', isLed: true, areConsumersLed: false, missing: 1 },
    { stream: 'DEAD', isLed: false, areConsumersLed: undefined, missing: undefined },
  ]);
  expect(await seriesOf(registry)).toEqual([
    'queue_leader{stream="TASKS",of="stream"} 1',
    'queue_leader{stream="TASKS",of="consumers"} 0',
    'queue_leader{stream="DEAD",of="stream"} 0',
    'queue_copies_missing{stream="TASKS"} 1',
  ]);
  gauges.set([]);
  expect(await seriesOf(registry)).toEqual([]);
});
