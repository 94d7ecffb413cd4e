import { once } from 'node:events';
import { connect } from 'node:net';
import { request } from 'undici';
import { WebSocket } from 'ws';
import { afterEach, expect, it } from 'vitest';
import { template } from '../../../test/support/templates.ts';
import { newInstanceId } from '../../domain/ids.ts';
import { freePort } from '../../launcher/tcp-ports.ts';
import type { ContainerSpec } from '../../pool/interfaces/container-runtime.ts';
import { SimulatedHost } from './simulated-host.ts';
import { SimulatedRuntime } from './simulated-runtime.ts';

const never = new AbortController().signal;
const open: SimulatedRuntime[] = [];

afterEach(async () => {
  for (const runtime of open.splice(0)) await runtime.close();
});

function simulated(startUpMs = 0): SimulatedRuntime {
  const runtime = new SimulatedRuntime(new SimulatedHost({ startUpMs }));
  open.push(runtime);
  return runtime;
}

async function spec(name: string): Promise<ContainerSpec> {
  return { name, instanceId: newInstanceId(), template: template(), hostPort: await freePort(), env: {} };
}

it('answers every path with a page or JSON that names its container', async () => {
  const runtime = simulated();
  const [one, two] = [await spec('demo-one'), await spec('demo-two')];
  await Promise.all([one, two].map((each) => runtime.start(each, never)));
  for (const { name, hostPort } of [one, two]) {
    const page = await request(`http://127.0.0.1:${hostPort}/some/path`);
    expect(page.headers['content-type']).toContain('text/html');
    expect(await page.body.text()).toContain(`<code>${name}</code>`);
    const json = await request(`http://127.0.0.1:${hostPort}/some/path?q`, { headers: { accept: 'application/json' } });
    expect(await json.body.json()).toEqual({ container: name, template: 'tiny', path: '/some/path?q' });
  }
});

it('echoes on a WebSocket at /ws and nowhere else', async () => {
  const runtime = simulated();
  const one = await spec('demo-one');
  await runtime.start(one, never);
  const socket = new WebSocket(`ws://127.0.0.1:${one.hostPort}/ws?x`);
  await once(socket, 'open');
  socket.send('hello');
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
  expect([data.toString(), isBinary]).toEqual(['hello', false]);
  const elsewhere = new WebSocket(`ws://127.0.0.1:${one.hostPort}/other`);
  const [failure] = (await once(elsewhere, 'error')) as [Error];
  expect(failure.message).toContain('404');
  await runtime.remove(one.name);
  if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close');
});

it('is not up before its start-up time', async () => {
  const runtime = simulated(3_600_000);
  const one = await spec('demo-one');
  await runtime.start(one, never);
  const { statusCode, body } = await request(`http://127.0.0.1:${one.hostPort}/`);
  await body.dump();
  expect(statusCode).toBe(503);
});

it('cuts open connections when it is removed', async () => {
  const runtime = simulated();
  const one = await spec('demo-one');
  await runtime.start(one, never);
  const idle = connect(one.hostPort, '127.0.0.1');
  idle.on('error', () => undefined);
  await once(idle, 'connect');
  const closed = once(idle, 'close');
  await runtime.remove(one.name);
  await closed;
});

it('ends all of them when it is closed', async () => {
  const runtime = simulated();
  const specs = await Promise.all(['demo-a', 'demo-b', 'demo-c'].map(spec));
  await Promise.all(specs.map((each) => runtime.start(each, never)));
  await runtime.close();
  expect(await runtime.list()).toEqual([]);
  for (const { hostPort } of specs)
    await expect(request(`http://127.0.0.1:${hostPort}/`)).rejects.toThrow('ECONNREFUSED');
});
