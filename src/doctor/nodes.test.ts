import { expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import { RUNNING_PROCESS_VERSION, type RunningProcess } from '../domain/running-process.ts';
import type { NodeSnapshot } from '../pool/operate-nodes.ts';
import { Shared, runChecks } from './check.ts';
import { nodeChecks, type FleetState } from './nodes.ts';

const NOW = Date.UTC(2026, 0, 2, 12);
const HOUR_MS = 60 * 60_000;
const IDLE = { warming: 0, ready: 2, assigned: 1, leaving: 0 };
const ACTIVE = fleetNode().control;

type Said = NonNullable<Parameters<typeof fleetNode>[0]> & {
  readonly state?: NodeSnapshot['state'];
  readonly instances?: NodeSnapshot['instances'];
  readonly avoided?: Readonly<Record<string, string>>;
  /** What it is avoided for it is given all the same. */
  readonly lastResort?: true;
  readonly silent?: true;
};

function node({
  state = 'active',
  instances = IDLE,
  avoided = {},
  lastResort,
  silent,
  ...more
}: Said = {}): NodeSnapshot {
  const made = fleetNode(more);
  return {
    ...made,
    ...(silent === true ? { heartbeat: undefined, heartbeatAgeMs: undefined } : {}),
    state,
    instances,
    obstacles: new Map(
      Object.entries(avoided).map(([template, reason]) => [template, { reason, lastResort: lastResort === true }]),
    ),
  };
}

function running(of: Partial<RunningProcess>): RunningProcess {
  const [startedAtMs, templates, leads] = [1, {}, []];
  return {
    ...{ v: RUNNING_PROCESS_VERSION, role: 'server', version: 'test', host: 'a', pid: 7, node: 'node0' },
    ...{ startedAtMs, templates, leads },
    ...of,
  };
}

/** Looked at on the host of node0, unless `on` is another. */
async function said(
  nodes: readonly NodeSnapshot[],
  processes: readonly RunningProcess[] = [],
  on = 'node0',
): Promise<string[]> {
  const state: FleetState = { nodes, processes };
  const addressTowards = (address: string): Promise<string> =>
    address === '10.0.0.9' ? Promise.resolve('10.0.0.1') : Promise.reject(new Error('no way'));
  const own = { node: on, boot: () => Promise.resolve('boot-a'), addressTowards };
  const checks = nodeChecks(new Shared(() => Promise.resolve(state), 'never'), ['tiny'], own, () => NOW);
  const found = await runChecks(checks);
  // Who reads it has a command for everything that is not well.
  for (const { verdict, remedy } of found)
    if (verdict !== 'ok' && verdict !== 'not_looked_at') expect(remedy).toMatch(/[.]$/);
  return found.map(({ verdict, what, seen }) => `${verdict}: ${what}: ${seen}`);
}

it('is content with nodes that are well', async () => {
  expect(await said([node(), node({ name: 'node1' })], [running({})])).toEqual([
    'ok: nodes: 2 of 2 are alive; 4 ready, 2 with visitors',
    'ok: templates: each has a node that can be given an instance',
    'ok: program: test',
    'ok: engine: simulated',
    'ok: kernel: not said',
    'ok: proxy addresses: every server (on node0) reaches every node',
  ]);
});

it.each<[string, Said, string | undefined]>([
  [
    'silent',
    { silent: true },
    'failure: node0: has said nothing for 12 s or longer: its host or the network to it is down, or nothing of ours ' +
      'runs there; 1 visits are kept for it, 0 wait for their cleanup',
  ],
  [
    'silent after a drain',
    { silent: true, control: { ...ACTIVE, mode: 'draining' } },
    'warning: node0: is silent, and was being drained',
  ],
  [
    'cordoned for long',
    { state: 'cordoned', control: { ...ACTIVE, mode: 'cordoned', sinceMs: NOW - 12 * HOUR_MS } },
    'warning: node0 mode: cordoned since 2026-01-02T00:00:00.000Z: it gets no instances',
  ],
  [
    'cordoned for less long',
    { state: 'cordoned', control: { ...ACTIVE, mode: 'cordoned', sinceMs: NOW - 12 * HOUR_MS + 1 } },
    undefined,
  ],
  [
    'not empty past the deadline of its drain',
    { state: 'draining', control: { mode: 'draining', sinceMs: NOW, deadlineMs: NOW, overdue: true } },
    'failure: node0 mode: its drain should have ended by now, and 3 instances are left there',
  ],
  [
    'drained in time',
    { state: 'drained', control: { mode: 'draining', sinceMs: NOW, deadlineMs: NOW, overdue: true } },
    undefined,
  ],
  [
    'as full as it may be',
    { heartbeat: { capacity: 5 }, held: 4, placed: 1 },
    'warning: node0 room: it holds as many instances as it may (5)',
  ],
  [
    'cut off from its tasks',
    { heartbeat: { cutOff: 'NATS does not answer it' } },
    'warning: node0 tasks: NATS does not answer it: others make new instances',
  ],
  ['lost again and again', { losses: 2 }, 'warning: node0 losses: it was lost 2 times of late'],
  ['lost once', { losses: 1 }, undefined],
  ['nearly that full', { heartbeat: { capacity: 5 }, held: 4 }, undefined],
  ['out of ports', { freePorts: 1, placed: 1 }, 'warning: node0 room: it has no free port'],
  [
    'out of disk',
    { heartbeat: { disk: { total: 10, free: 0, low: true } } },
    'failure: node0 room: its disk has less room than DISK_RESERVE',
  ],
  [
    'out of memory',
    { heartbeat: { memory: { total: 8 * 2 ** 30, available: 2 ** 28 } } },
    'failure: node0 room: 0.3 of its 8.0 GiB of memory are available: nothing is started there',
  ],
  [
    'without an image',
    { heartbeat: { templates: { tiny: 'no image', shop: 'no image', fine: '' } } },
    'warning: node0 templates: it cannot make shop, tiny: no image',
  ],
])('says of one that is %s what is to be done', async (_, of, expected) => {
  const [, second] = await said([node(of)]);
  if (expected === undefined) expect(second).toMatch(/^ok: templates/);
  else expect(second?.startsWith(expected), second).toBe(true);
});

it('names a template that no node can be given, with the reason of each', async () => {
  const avoided = { tiny: 'it lacks the label gpu' };
  expect(await said([node({ avoided }), node({ name: 'node1' })])).toContain(
    'ok: templates: each has a node that can be given an instance',
  );
  const full = node({ name: 'node1', avoided: { tiny: 'it is cordoned' } });
  expect(await said([node({ avoided }), full])).toContain(
    'warning: template tiny: no node can be given an instance: node0, it lacks the label gpu; node1, it is cordoned',
  );
  // It is tried there all the same, and told of the node.
  const failing = node({ name: 'node2', avoided: { tiny: 'no image' }, lastResort: true });
  expect(await said([node({ avoided }), full, failing])).toContain(
    'ok: templates: each has a node that can be given an instance',
  );
});

it('compares what runs on the hosts', async () => {
  const [one, other] = [
    { kernel: '6.1.0', engine: 'podman', engineVersion: '4.3.1' },
    { kernel: '6.18.5', engine: 'podman', engineVersion: '5.0.0', program: '2.0.0' },
  ];
  const found = await said([
    node({ heartbeat: one }),
    node({ name: 'node1', heartbeat: one }),
    node({ name: 'node2', heartbeat: other }),
    node({ name: 'node3', silent: true }),
  ]);
  expect(found).toContain('warning: program: test (node0, node1); 2.0.0 (node2)');
  expect(found).toContain('warning: engine: podman 4.3.1 (node0, node1); podman 5.0.0 (node2)');
  expect(found).toContain('warning: kernel: 6.1.0 (node0, node1); 6.18.5 (node2)');
});

it.each<[string, NodeSnapshot, RunningProcess[], string | undefined]>([
  ['lets the server in by its block', far(['10.0.0.0/24']), [running({})], undefined],
  ['lets it in by its address', far(['10.0.0.1/32']), [running({})], undefined],
  ['lets in others', far(['10.0.1.0/24', '10.0.0.2/32']), [running({})], 'PROXY_ADDRESSES of far lacks 10.0.0.1'],
  ['lets in nobody', far([]), [running({})], 'PROXY_ADDRESSES of far lacks 10.0.0.1'],
  ['runs a version that says nothing of it', far(undefined), [running({})], undefined],
  ['lets in others than a worker, which looks at its own', far([]), [running({ role: 'worker' })], undefined],
  [
    'is on loopback of another host',
    node({ name: 'far', heartbeat: { proxies: [] } }),
    [running({}), running({ role: 'worker', host: 'b', node: 'far' })],
    'far publishes its instances on 127.0.0.1, and the server on node0 is another host',
  ],
  [
    'is on loopback of the same host',
    node({ name: 'far', heartbeat: { proxies: [] } }),
    [running({}), running({ role: 'worker', node: 'far' })],
    undefined,
  ],
])('judges whether servers reach a node that %s', async (_, other, processes, expected) => {
  const near = node({ address: '10.0.0.1' });
  const verdict = (await said([near, other], processes)).at(-1);
  if (expected === undefined) expect(verdict).toMatch(/^ok: proxy addresses/);
  else expect(verdict?.startsWith(`failure: far lets in node0: ${expected}`), verdict).toBe(true);
});

it('takes the address with which a server on loopback reaches the node, on its own host', async () => {
  expect((await said([node(), far(['10.0.0.0/24'])], [running({})])).at(-1)).toMatch(/^ok: proxy addresses/);
  expect((await said([node(), far(['10.0.0.2'])], [running({})])).at(-1)).toMatch(
    /^failure: far lets in node0: PROXY_ADDRESSES of far lacks 10\.0\.0\.1/,
  );
  expect((await said([node(), far(['10.0.0.1'])], [running({})], 'far')).at(-1)).toBe(
    'not_looked_at: far lets in node0: from where the server on node0 comes is known on its host: run ' +
      '`try-it-now doctor` there',
  );
});

/** Another host, which publishes on an address of its own. */
function far(proxies: readonly string[] | undefined): NodeSnapshot {
  const heartbeat = { address: '10.0.0.9', ...(proxies === undefined ? {} : { proxies: [...proxies] }) };
  return node({ name: 'far', address: '10.0.0.9', heartbeat });
}

it('says which other host has the name of the one it runs on', async () => {
  const there = (boot: string) => node({ heartbeat: { boot, host: 'host-b', address: '10.0.0.2' } });
  const found = 'failure: node0 name: the host that says it is node0 is host-b at 10.0.0.2, and not this one';
  expect(await said([there('boot-b')])).toContain(found);
  expect(await said([there('boot-a')])).not.toContain(found);
  expect(await said([there('boot-b')], [], 'node1')).not.toContain(found);
});
