import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp, type App } from '../../src/composition/app.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { RunningProcess } from '../../src/domain/running-process.ts';
import { serveSimulatedEngine, type SimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, operatorOf, type Json } from '../support/operator.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };
const PORTS = 40;
const tiny = template({ pool: { target: 6, max: 12, replenishThreshold: 0 } });
const labelled = template({ name: 'labelled', nodes: ['eu'], pool: { target: 2, max: 4, replenishThreshold: 0 } });

let dir: string;
const host = new SimulatedHost();
let engine: SimulatedEngine;
let stack: Stack;
let valkey: Valkey;
let operator: ReturnType<typeof operatorOf>;
let ports: Awaited<ReturnType<typeof claimPorts>>;
let further: App;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tin-nodes-'));
  const SIMULATED_SOCKET = join(dir, 'engine.sock');
  engine = await serveSimulatedEngine(SIMULATED_SOCKET, host);
  stack = await startStack({
    templates: [tiny, labelled],
    env: { OPERATOR_KEYS: OPERATOR_KEY, SIMULATED_SOCKET },
    reconcileIntervalMs: 1_000,
  });
  operator = operatorOf(stack);
  valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  ports = await claimPorts(PORTS);
  const { start, end } = ports;
  further = await startApp({
    config: {
      ...stack.config,
      node: { name: 'node1', address: '127.0.0.1', labels: ['eu'], capacity: undefined, proxies: [] },
      containers: { ...stack.config.containers, portRange: { start, end } },
    },
    log: silent,
    role: 'worker',
    version: 'test',
  });
});
afterAll(async () => {
  await further.stop();
  valkey.disconnect();
  // A worker leaves its containers to its next start, and nobody else looks after them.
  const { deployment } = stack.config;
  for (const { name } of host.list({ deployment, node: 'node1' })) await host.remove(name);
  await stack[Symbol.asyncDispose]();
  await ports[Symbol.asyncDispose]();
  await engine.close();
  await rm(dir, { recursive: true });
});

async function idle(name: string, on: string): Promise<readonly Instance[]> {
  const records = Object.values(await valkey.hgetall('instances')).map((text) => JSON.parse(text) as Instance);
  return records.filter(({ state, template: of, node }) => state === 'ready' && of === name && node === on);
}

async function node(name: string): Promise<Json> {
  return (await operator.ask('GET', `/nodes/${name}`)).json ?? {};
}

it('makes what asks for a label where that is, and says why not elsewhere', async () => {
  await eventually(async () => expect(await idle('labelled', 'node1')).toHaveLength(2), PATIENT);
  expect(await idle('labelled', 'node0')).toEqual([]);
  expect(await node('node0')).toMatchObject({
    state: 'active',
    alive: true,
    avoided: [{ template: 'labelled', reason: 'it lacks the label eu' }],
  });
  expect(await node('node1')).toMatchObject({ alive: true, labels: ['eu'], ports: PORTS, avoided: [] });
});

it('gives a cordoned node nothing new, and leaves it what it has', async () => {
  await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 6 }), PATIENT);
  expect((await operator.ask('POST', '/nodes/node0/cordon', {})).json).toMatchObject({ state: 'cordoned' });
  const kept = await idle('tiny', 'node0');
  // What was on its way there when it was cordoned has arrived or was taken back.
  await operator.ask('PUT', '/pools/tiny/target', { target: 10 });
  await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 10 }), PATIENT);
  expect(await idle('tiny', 'node0')).toHaveLength(kept.length);
  expect(await idle('tiny', 'node1')).toHaveLength(10 - kept.length);
});

it('drains a node once others are ready elsewhere, and ends its visits at the deadline', async () => {
  await operator.ask('POST', '/nodes/node0/uncordon', {});
  await operator.ask('PUT', '/pools/tiny/target', { target: 4 });
  const visits = await Promise.all(Array.from({ length: 10 }, () => operator.acquire()));
  expect(visits.map(({ status }) => status)).toEqual(visits.map(() => 201));
  const held = Object.values(await valkey.hgetall('instances'))
    .map((text) => JSON.parse(text) as Instance)
    .filter(({ state, node: on }) => state === 'assigned' && on === 'node1');
  expect(held.length).toBeGreaterThan(0);

  expect((await operator.ask('POST', '/nodes/node1/drain', { within_seconds: 3_600 })).json?.['state']).toBe(
    'draining',
  );
  await eventually(async () => expect(await idle('tiny', 'node1')).toEqual([]), PATIENT);
  expect(await node('node1')).toMatchObject({ state: 'draining', instances: { assigned: held.length } });
  await operator.ask('POST', '/nodes/node1/drain', { within_seconds: 0 });
  await eventually(async () => expect(await node('node1')).toMatchObject({ state: 'drained' }), PATIENT);
  const audit = (await operator.list('/audit', 'entries')).map(({ action, on }) => [action, on]);
  expect(audit).toContainEqual(['node.drain within_seconds=0', 'node1']);
});

it('has the server look after names of the pool while a worker looks after its node', async () => {
  await operator.ask('POST', '/nodes/node1/uncordon', {});
  const beside = await startApp({ config: stack.config, log: silent, role: 'worker', version: 'test' });
  try {
    const processes = Object.values(await valkey.hgetall('processes')).map(
      (text) => JSON.parse(text) as RunningProcess,
    );
    expect(processes.filter(({ node: of, role }) => of === 'node0' && role === 'worker')).toMatchObject([
      { leads: ['node:node0'] },
    ]);
    const [one] = await eventually(async () => {
      const found = await idle('tiny', 'node1');
      expect(found.length).toBeGreaterThan(0);
      return found;
    }, PATIENT);
    await valkey.hdel('hostnames', one?.label ?? '');
    await eventually(async () => expect(await valkey.hexists('hostnames', one?.label ?? '')).toBe(1), PATIENT);
  } finally {
    await beside.stop();
  }
});

it('removes a node only when it is silent, and leaves nothing of it', async () => {
  expect((await operator.ask('DELETE', '/nodes/node1')).json).toMatchObject({ code: 'node_alive' });
  expect((await operator.ask('DELETE', '/nodes/nowhere')).json).toMatchObject({ code: 'unknown_node' });
  await operator.ask('POST', '/nodes/node1/uncordon', {});
  await eventually(async () => expect(await idle('labelled', 'node1')).toHaveLength(2), PATIENT);
  await further.stop();
  await valkey.del('heartbeat:node1');
  expect((await operator.ask('DELETE', '/nodes/node1')).json).toMatchObject({ code: 'node_in_use' });
  expect((await operator.ask('DELETE', '/nodes/node1?force=true')).status).toBe(200);
  expect((await valkey.keys('*')).filter((key) => key.includes('node1'))).toEqual([]);
  expect(await valkey.hexists('nodes', 'node1')).toBe(0);
  expect(Object.values(await valkey.hgetall('instances')).filter((text) => text.includes('"node1"'))).toEqual([]);
  expect((await operator.list('/nodes', 'nodes')).map(({ name }) => name)).toEqual(['node0']);
  const { consumers } = (await operator.ask('GET', '/queue')).json as { consumers: { name: string }[] };
  expect(consumers.filter(({ name }) => name.endsWith('node1'))).toEqual([]);
});
