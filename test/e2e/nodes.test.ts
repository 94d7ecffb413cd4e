import { release } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp, type App } from '../../src/composition/app.ts';
import { openDoctorContext } from '../../src/composition/doctor-context.ts';
import { runChecks } from '../../src/doctor/check.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { RunningProcess } from '../../src/domain/running-process.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { serveSimulatedEngine, type SimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { keys } from '../../src/store/keys.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, operatorOf, type Json } from '../support/operator.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };
const PORTS = 40;
const tiny = template({ pool: { target: 6, max: 12, replenishThreshold: 0 } });
const labelled = template({ name: 'labelled', nodes: ['eu'], pool: { target: 2, max: 4, replenishThreshold: 0 } });

const cleanups = new Cleanups('the nodes');
const host = new SimulatedHost();
let engine: SimulatedEngine;
let stack: Stack;
let valkey: Valkey;
let operator: ReturnType<typeof operatorOf>;
let further: App;
beforeAll(async () => {
  const SIMULATED_SOCKET = join(await ownFolder(cleanups, 'tin-nodes-'), 'engine.sock');
  engine = await serveSimulatedEngine(SIMULATED_SOCKET, host);
  cleanups.push(() => engine.close());
  stack = await startStack({
    templates: [tiny, labelled],
    env: { OPERATOR_KEYS: OPERATOR_KEY, SIMULATED_SOCKET },
    reconcileIntervalMs: 1_000,
  });
  cleanups.push(() => stack[Symbol.asyncDispose]());
  operator = operatorOf(stack);
  valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  cleanups.push(() => valkey.disconnect());
  const ports = await claimPorts(PORTS);
  cleanups.push(() => ports[Symbol.asyncDispose]());
  // A worker leaves its containers to its next start, and nobody else looks after them.
  cleanups.push(async () => {
    const { deployment } = stack.config;
    for (const { name } of host.list({ deployment, node: 'node1' })) await host.remove(name);
  });
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
  cleanups.push(() => further.stop());
});
afterAll(() => cleanups[Symbol.asyncDispose]());

async function idle(name: string, on: string): Promise<readonly Instance[]> {
  const records = Object.values(await valkey.hgetall('instances')).map((text) => JSON.parse(text) as Instance);
  return records.filter(({ state, template: of, node }) => state === 'ready' && of === name && node === on);
}

async function node(name: string): Promise<Json> {
  return (await operator.ask('GET', `/nodes/${name}`)).json ?? {};
}

async function nodes(...args: string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const env = { ADMIN_URL: `http://127.0.0.1:${stack.config.admin.port}`, OPERATOR_KEY };
  await using program = new Program(['nodes', ...args], env);
  return { code: await program.exitCode, output: program.output };
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

it('shows nodes by its commands, in 80 columns and as JSON, in the doctor, in top and in metrics', async () => {
  const [listed, shown, json, missing] = await Promise.all([
    nodes('list'),
    nodes('show', 'node1'),
    nodes('list', '--json'),
    nodes('show', 'node9'),
  ]);
  expect([listed.code, shown.code, json.code, missing.code]).toEqual([0, 0, 0, 1]);
  expect(listed.output).toMatch(/^node0 +active( +\d+){5} +\d+ s *$/m);
  expect(listed.output).toMatch(/^node1 +active +/m);
  expect(listed.output).toContain('node0: gets no instances of labelled: it lacks the label eu\n');
  expect(shown.output).toMatch(/^Labels +eu\s*$/m);
  expect(shown.output).toMatch(/^Room +\d+ of 40 ports free, \d+ processors/m);
  for (const line of `${listed.output}${shown.output}`.split('\n')) expect(line.trimEnd().length).toBeLessThan(81);
  const { nodes: told } = JSON.parse(json.output) as { nodes: Json[] };
  expect(told.map(({ name, alive }) => [name, alive])).toEqual([
    ['node0', true],
    ['node1', true],
  ]);
  expect(missing.output).toMatch(/There is no node named .*node9.*nodes list/);

  await using top = new Program(['top', '--once', '--interval', '200ms'], environmentOf(stack));
  expect([await top.exitCode, top.output]).toEqual([0, expect.stringMatching(/^node1 +active +/m)]);
  expect(top.output).toContain('Some templates are not made on node0');

  const { checks, close } = await openDoctorContext(stack.config, silent);
  const found = await runChecks(checks.filter(({ part }) => part === 'Nodes'));
  close();
  const said = found.map(({ verdict, what, seen }) => `${verdict}: ${what}: ${seen}`);
  expect(said[0]).toMatch(/^ok: nodes: 2 of 2 are alive; /);
  expect(said).toContain('ok: program: test');
  expect(said).toContain(`ok: kernel: ${release()}`);
  expect(said).toContain('ok: proxy addresses: every server (on node0) reaches every node');

  const metrics = await (await fetch(`${stack.api}/metrics`)).text();
  expect(metrics).toMatch(/^try_it_now_node_up\{node="node1"\} 1$/m);
  expect(metrics).toMatch(/^try_it_now_node_instances\{node="node1",state="ready"\} [2-9]$/m);
  expect(metrics).toMatch(/^try_it_now_pool_nodes\{template="labelled"\} 1$/m);
});

it('refuses another host under a name that is in use, before it does any harm', async () => {
  await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 6 }), PATIENT);
  const before = await valkey.hgetall('instances');
  await using others = await claimPorts(PORTS);
  const { containers } = stack.config;
  const clone = startApp({
    config: {
      ...stack.config,
      containers: { ...containers, portRange: others, sockets: { ...containers.sockets, simulated: undefined } },
    },
    ...{ log: silent, role: 'worker', version: 'test', boot: 'that of a clone' },
  });
  clone.then((started) => started.stop()).catch(() => undefined);
  await expect(clone).rejects.toMatchObject({
    code: 'invalid_config',
    message: expect.stringContaining('NODE_NAME=node0') as string,
  });
  expect(await valkey.hgetall('instances')).toEqual(before);
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
  const worker = { metrics: { host: '127.0.0.1', port: await freePort() } };
  const beside = await startApp({ config: { ...stack.config, worker }, log: silent, role: 'worker', version: 'test' });
  try {
    const processes = Object.values(await valkey.hgetall('processes')).map(
      (text) => JSON.parse(text) as RunningProcess,
    );
    expect(processes.filter(({ node: of, role }) => of === 'node0' && role === 'worker')).toMatchObject([
      { leads: ['node:node0'] },
    ]);
    const [one] = await eventually(async () => {
      // What is made only there.
      const found = await idle('labelled', 'node1');
      expect(found.length).toBeGreaterThan(0);
      return found;
    }, PATIENT);
    await valkey.hdel('hostnames', one?.label ?? '');
    await eventually(async () => expect(await valkey.hexists('hostnames', one?.label ?? '')).toBe(1), PATIENT);
  } finally {
    await beside.stop();
  }
});

it('cordons and drains by its commands, and changes nothing for what it refuses', async () => {
  expect((await nodes('uncordon', 'node1')).output).toMatch(/^State +active\s*$/m);
  expect((await nodes('cordon', 'node1')).output).toMatch(/^State +cordoned\s[^]*^cordoned since /m);
  const refused = await Promise.all([
    nodes('drain', 'node1'),
    nodes('drain', 'node1', '--yes', '--deadline', 'soon'),
    nodes('remove', 'node1'),
    nodes('remove', 'node1', '--yes'),
    nodes('remove', 'node9', '--force', '--yes'),
  ]);
  const because = [
    /Empty node node1, .*say so with --yes/,
    /--deadline is .*soon.*; it must be a duration/,
    /Forget node node1\? .*say so with --yes/,
    /Node node1 is alive; drain it/,
    /There is no node named .*node9/,
  ];
  expect(refused).toEqual(because.map((text) => ({ code: 1, output: expect.stringMatching(text) as string })));
  expect(await node('node1')).toMatchObject({ state: 'cordoned', deadline: null });
  const { code, output } = await nodes('drain', 'node1', '--yes', '--deadline', '1h', '--json');
  const { since, deadline, state } = JSON.parse(output) as { since: string; deadline: string; state: string };
  expect([code, Date.parse(deadline) - Date.parse(since)]).toEqual([0, 3_600_000]);
  expect(['draining', 'drained']).toContain(state);
});

it('removes a node only when it is silent, and leaves nothing of it', async () => {
  expect((await operator.ask('DELETE', '/nodes/node1')).json).toMatchObject({ code: 'node_alive' });
  expect((await operator.ask('DELETE', '/nodes/nowhere')).json).toMatchObject({ code: 'unknown_node' });
  await operator.ask('POST', '/nodes/node1/uncordon', {});
  await eventually(async () => expect(await idle('labelled', 'node1')).toHaveLength(2), PATIENT);
  await further.stop();
  await valkey.del('heartbeat:node1');
  // What an image that was fetched there leaves.
  await valkey.hset(keys.pulledImages('node1'), 'example.org/app:1', '{}');
  expect((await nodes('list')).output).toMatch(/^node1 .* silent *$[^]*^node1: it is silent: .* If its host is gone/m);
  expect((await nodes('remove', 'node1', '--yes')).output).toMatch(/\d instances are recorded on node node1/);
  expect(await nodes('remove', 'node1', '--force', '--yes')).toEqual({
    code: 0,
    output: expect.stringMatching(/^Node node1 is forgotten; \d+ instances of it were discarded\.\n$/) as string,
  });
  expect((await valkey.keys('*')).filter((key) => key.includes('node1'))).toEqual([]);
  expect(await valkey.hexists('nodes', 'node1')).toBe(0);
  expect(Object.values(await valkey.hgetall('instances')).filter((text) => text.includes('"node1"'))).toEqual([]);
  expect((await operator.list('/nodes', 'nodes')).map(({ name }) => name)).toEqual(['node0']);
  const { consumers } = (await operator.ask('GET', '/queue')).json as { consumers: { name: string }[] };
  expect(consumers.filter(({ name }) => name.endsWith('node1'))).toEqual([]);
});
