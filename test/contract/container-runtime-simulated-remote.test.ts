import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchSimulatedEngine, type LaunchedSimulatedEngine } from '../../src/launcher/simulated-engine.ts';
import { RemoteSimulatedRuntime } from '../../src/runtime/simulated/remote-simulated-runtime.ts';
import { template } from '../support/templates.ts';
import { containerRuntimeContract } from './container-runtime.ts';

describe('simulated, in a process of its own', () => {
  let dir: string;
  let launched: LaunchedSimulatedEngine;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tin-simulated-'));
    launched = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  });
  afterAll(async () => {
    await launched[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });

  containerRuntimeContract({ runtime: (deployment, node) => new RemoteSimulatedRuntime({ socketPath: launched.socketPath, deployment, node }), deployment: 'test', template });

  it('lets nobody but its user in', async () => {
    expect((await stat(launched.socketPath)).mode & 0o777).toBe(0o600);
  });
});
