import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { RemoteSimulatedRuntime } from '../../src/runtime/simulated/remote-simulated-runtime.ts';
import { askFor, crashSimulated } from '../support/simulated-engine.ts';
import { template } from '../support/templates.ts';
import { containerRuntimeContract, newSpec } from './container-runtime.ts';

describe('simulated, in a process of its own', () => {
  let dir: string;
  let launched: LaunchedSimulatedEngine;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tin-simulated-'));
    try {
      launched = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
    } catch (error) {
      await rm(dir, { recursive: true });
      throw error;
    }
  });
  afterAll(async () => {
    await launched[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });

  const runtime = (deployment: string, node: string): RemoteSimulatedRuntime =>
    new RemoteSimulatedRuntime({ socketPath: launched.socketPath, deployment, node });
  containerRuntimeContract({
    runtime,
    deployment: 'test',
    template,
    says: askFor,
    accidents: {
      crash: (name) => crashSimulated(launched.socketPath, name),
      // Of no deployment in particular, as an engine's own command is.
      removeByForce: (name) => runtime('another', 'node-z').remove(name),
    },
  });

  it("publishes on its node's address and on no other", async () => {
    const engine = new RemoteSimulatedRuntime({
      socketPath: launched.socketPath,
      deployment: 'test',
      node: 'node-b',
      address: '127.0.0.7',
    });
    const spec = await newSpec(template());
    await engine.start(spec, new AbortController().signal);
    expect((await request(`http://127.0.0.7:${spec.hostPort}/`)).statusCode).toBe(200);
    await expect(request(`http://127.0.0.1:${spec.hostPort}/`)).rejects.toThrow('ECONNREFUSED');
    await engine.remove(spec.name);
  });

  it('starts what an older version asks for, which knows of no address', async () => {
    const { name, hostPort } = await newSpec(template());
    const client = new Client('http://engine', { socketPath: launched.socketPath });
    const body = { owner: { deployment: 'test', node: 'node-c' }, template: 'hello', hostPort };
    try {
      const path = `/containers/${name}/start`;
      expect((await client.request({ method: 'POST', path, body: JSON.stringify(body) })).statusCode).toBe(200);
    } finally {
      await client.destroy();
    }
    expect((await request(`http://127.0.0.1:${hostPort}/`)).statusCode).toBe(200);
    await runtime('test', 'node-c').remove(name);
  });

  it('lets nobody but its user in', async () => {
    expect((await stat(launched.socketPath)).mode & 0o777).toBe(0o600);
  });
});
