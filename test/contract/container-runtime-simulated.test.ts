import { describe } from 'vitest';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { SimulatedRuntime } from '../../src/runtime/simulated/simulated-runtime.ts';
import { template } from '../support/templates.ts';
import { containerRuntimeContract } from './container-runtime.ts';

describe('simulated', () => {
  const host = new SimulatedHost();
  containerRuntimeContract({
    runtime: (deployment, node) => new SimulatedRuntime(host, { deployment, node }),
    deployment: 'test',
    template,
    accidents: { crash: (name) => host.crash(name), removeByForce: (name) => host.remove(name) },
  });
});
