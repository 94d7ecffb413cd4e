import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp, type App } from '../../src/composition/app.ts';
import type { Heartbeat } from '../../src/domain/node.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { keys } from '../../src/store/keys.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { fleetNode } from '../support/fleet.ts';
import { operatorOf } from '../support/operator.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };

const releasers = new Releasers();
let stack: Stack;
let valkey: Valkey;
beforeAll(async () => {
  stack = await startStack({ templates: [template()] });
  releasers.push('stack', () => stack[Symbol.asyncDispose]());
  valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  releasers.push('valkey', () => valkey.quit());
});
afterAll(() => releasers.releaseAll(silent));

const startedAs = async (boot: string): Promise<App> => {
  const ports = await claimPorts(20);
  releasers.push('ports', () => ports[Symbol.asyncDispose]());
  const { node, containers } = stack.config;
  return startApp({
    config: {
      ...stack.config,
      node: { ...node, name: 'twins' },
      worker: { metrics: { host: '127.0.0.1', port: await freePort() } },
      containers: { ...containers, portRange: ports, sockets: { ...containers.sockets, simulated: undefined } },
    },
    ...{ log: silent, role: 'worker', version: 'test', boot },
  });
};

it('has one of two hosts start that start together under one name', async () => {
  const outcomes = await Promise.allSettled([startedAs('boot-a'), startedAs('boot-b')]);
  for (const each of outcomes) if (each.status === 'fulfilled') await each.value.stop();
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'invalid_config', message: expect.stringContaining('NODE_NAME=twins') as string },
  });
});

/** A visit on the node whose container this host has not. */
async function visitOn(node: string): Promise<Instance> {
  const { id } = await eventually(async () => {
    const answer = await operatorOf(stack).acquire();
    expect(answer.status).toBe(201);
    return (await answer.json()) as { id: string };
  }, PATIENT);
  const text = await valkey.hget(keys.instances, id);
  const visit = { ...(JSON.parse(text ?? '{}') as Instance), node, container: 'of-the-other-host' };
  await valkey.hset(keys.instances, visit.id, JSON.stringify(visit));
  await valkey.hset(keys.heldPorts(node), String(visit.port), visit.id);
  return visit;
}

/** Goes on saying that another host is that node. */
async function otherHostAs(node: string, client: Valkey): Promise<AsyncDisposable> {
  let sequence = 0;
  const say = async (): Promise<void> => {
    const said: Partial<Heartbeat> = { boot: 'boot-b', host: 'host-b', address: '10.0.0.2', sequence: (sequence += 1) };
    const text = JSON.stringify(fleetNode({ heartbeat: said }).heartbeat);
    await client.set(keys.heartbeat(node), text, 'PX', 12_000);
  };
  await say();
  let saying = Promise.resolve();
  const beating = setInterval(() => void (saying = say()), 500);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(beating);
      await saying;
    },
  };
}

it('has a worker that was cut off end, and no visit of the host that took its place', async () => {
  await using ports = await claimPorts(20);
  await using cutOff = new Program(['worker'], {
    ...environmentOf(stack),
    NODE_NAME: 'replaced',
    WORKER_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
    CONTAINER_PORT_RANGE_START: String(ports.start),
    CONTAINER_PORT_RANGE_END: String(ports.end),
  });
  await eventually(() => expect(cutOff.output).toContain('Try It Now started'), PATIENT);
  cutOff.signal('SIGSTOP');
  await eventually(async () => expect(await valkey.hexists(keys.lostNodes, 'replaced')).toBe(1), PATIENT);
  const visit = await visitOn('replaced');
  await using _other = await otherHostAs('replaced', valkey);
  cutOff.signal('SIGCONT');
  expect(await cutOff.exitCode).toBe(78);
  expect(cutOff.output).toMatch(/^NODE_NAME=replaced is the name of another host already, host-b at 10\.0\.0\.2,/m);
  expect(JSON.parse((await valkey.hget(keys.instances, visit.id)) ?? '{}')).toEqual(visit);
});

it('has `up` say so, and take everything down', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tin-names-'));
  await using cleanups = new Cleanups('the folder');
  cleanups.push(() => rm(folder, { recursive: true }));
  await using shared = await launchValkey({ dir: folder });
  await using ports = await claimPorts(20);
  const client = new Valkey(Number(shared.address.split(':')[1]), '127.0.0.1');
  await using connections = new Cleanups('the connection');
  connections.push(() => client.disconnect());
  await using up = new Program(['up'], {
    CONTAINER_MODE: 'simulated',
    VALKEY_ADDR: shared.address,
    NODE_NAME: 'upped',
    DEPLOYMENT: 'test-names',
    SERVER_PORT: String(await freePort()),
    PROXY_LISTEN: `:${await freePort()}`,
    CONTAINER_PORT_RANGE_START: String(ports.start),
    CONTAINER_PORT_RANGE_END: String(ports.end),
  });
  await eventually(() => expect(up.output).toContain('Click here'), PATIENT);
  await using _other = await otherHostAs('upped', client);
  expect(await up.exitCode, up.output).toBe(78);
  expect(up.output).toContain('Cannot go on');
  expect(up.output).toMatch(/^NODE_NAME=upped is the name of another host already, host-b at 10\.0\.0\.2,/m);
});
