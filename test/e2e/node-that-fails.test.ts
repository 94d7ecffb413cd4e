import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp } from '../../src/composition/app.ts';
import { openDoctorContext } from '../../src/composition/doctor-context.ts';
import { runChecks } from '../../src/doctor/check.ts';
import { TryItNowError } from '../../src/domain/errors.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { serveSimulatedEngine } from '../../src/runtime/simulated/engine-server.ts';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, operatorOf } from '../support/operator.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };
const TARGET = 4;
const tiny = template({ pool: { target: TARGET, max: 12, replenishThreshold: 0 } });

/** As a host whose database server is down, or whose disk is broken: nothing comes up, and it has room for all. */
class BrokenHost extends SimulatedHost {
  tried = 0;
  override start(): Promise<void> {
    this.tried += 1;
    return Promise.reject(new TryItNowError('container_failed', 'There is something wrong with this host'));
  }
}

const WHY = /^\d+ attempts at one failed there in a row: .*wrong with this host/;

async function serveBroken(until: Releasers): Promise<{ readonly host: BrokenHost; readonly socket: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'tin-fails-'));
  until.push('folder', () => rm(dir, { recursive: true }));
  const [host, socket] = [new BrokenHost(), join(dir, 'engine.sock')];
  const engine = await serveSimulatedEngine(socket, host);
  until.push('engine', () => engine.close());
  return { host, socket };
}

const releasers = new Releasers();
let broken: BrokenHost;
let stack: Stack;
let valkey: Valkey;
let operator: ReturnType<typeof operatorOf>;
beforeAll(async () => {
  const served = await serveBroken(releasers);
  broken = served.host;
  stack = await startStack({ templates: [tiny], env: { OPERATOR_KEYS: OPERATOR_KEY } });
  releasers.push('stack', () => stack[Symbol.asyncDispose]());
  operator = operatorOf(stack);
  valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  releasers.push('valkey', () => valkey.quit());
  const ports = await claimPorts(40);
  releasers.push('ports', () => ports[Symbol.asyncDispose]());
  const { node, containers } = stack.config;
  const further = await startApp({
    config: {
      ...stack.config,
      node: { ...node, name: 'node1' },
      containers: { ...containers, portRange: ports, sockets: { ...containers.sockets, simulated: served.socket } },
    },
    ...{ log: silent, role: 'worker', version: 'test' },
  });
  releasers.push('further node', () => further.stop());
});
afterAll(() => releasers.releaseAll(silent));

async function readyOn(node: string): Promise<number> {
  const records = Object.values(await valkey.hgetall('instances')).map((text) => JSON.parse(text) as Instance);
  return records.filter(({ state, node: on }) => state === 'ready' && on === node).length;
}

it('has instances made elsewhere that one node cannot make, and says there why it gets none', async () => {
  await eventually(async () => expect(await readyOn('node0')).toBe(TARGET), PATIENT);
  const visits = await Promise.all(Array.from({ length: TARGET }, () => operator.acquire()));
  expect(visits.map(({ status }) => status)).toEqual(visits.map(() => 201));
  await eventually(async () => expect(await readyOn('node0')).toBe(TARGET), PATIENT);
  const { json } = await operator.ask('GET', '/nodes/node1');
  expect(json?.['avoided']).toEqual([
    {
      template: 'tiny',
      reason: expect.stringMatching(WHY) as string,
      last_resort: false,
    },
  ]);
  // Nobody has to wait for the next pause to end.
  const tried = broken.tried;
  expect((await operator.acquire()).status).toBe(201);
  await eventually(async () => expect(await readyOn('node0')).toBe(TARGET), PATIENT);
  expect(broken.tried).toBe(tried);
});

it('says of a single host that it goes on being tried, as it is', async () => {
  const { host, socket } = await serveBroken(releasers);
  const told: string[] = [];
  await using alone = await startStack({
    templates: [tiny],
    env: { OPERATOR_KEYS: OPERATOR_KEY, SIMULATED_SOCKET: socket },
    log: pino({ level: 'info' }, { write: (line: string) => void told.push(line) }),
  });
  const avoided = async () => (await operatorOf(alone).ask('GET', '/nodes/node0')).json?.['avoided'];
  const expected = [{ template: 'tiny', reason: expect.stringMatching(WHY) as string, last_resort: true }];
  await eventually(async () => expect(await avoided()).toEqual(expected), PATIENT);
  const tried = host.tried;

  const metrics = await (await fetch(`${alone.api}/metrics`)).text();
  expect(metrics).toMatch(/^try_it_now_pool_nodes\{template="tiny"\} 1$/m);
  expect(metrics).toMatch(/^try_it_now_node_unable_templates\{node="node0"\} 1$/m);

  const { checks, close } = await openDoctorContext(alone.config, silent);
  const found = await runChecks(checks.filter(({ part }) => part === 'Nodes'));
  close();
  const seen = found.map(({ verdict, what, seen: text }) => `${verdict}: ${what}: ${text}`);
  expect(seen).toContain('ok: templates: each has a node that can be given an instance');
  expect(seen).toContainEqual(
    expect.stringMatching(/^warning: node0 templates: it cannot make tiny: \d+ attempts at one failed/),
  );

  await using list = new Program(['nodes', 'list'], environmentOf(alone));
  expect(await list.exitCode).toBe(0);
  expect(list.output).toMatch(/^node0: gets instances of tiny only as no other can make them: \d+ attempts/m);

  // It is: the next trial comes after the breaker's pause, once the planner has seen what the node says.
  await eventually(() => {
    expect(host.tried).toBeGreaterThan(tried);
  }, PATIENT);
  expect(told.filter((line) => line.includes('gets no instances'))).toEqual([]);
});
