import { describe } from 'vitest';
import { SimulatedHost } from '../../src/runtime/simulated/simulated-host.ts';
import { SimulatedRuntime } from '../../src/runtime/simulated/simulated-runtime.ts';
import { askFor } from '../support/simulated-engine.ts';
import { template } from '../support/templates.ts';
import { containerRuntimeContract } from './container-runtime.ts';

describe('simulated', () => {
  const host = new SimulatedHost();
  containerRuntimeContract({
    runtime: (deployment, node) => new SimulatedRuntime(host, { deployment, node }),
    deployment: 'test',
    template,
    says: askFor,
    accidents: { crash: (name) => host.crash(name), removeByForce: (name) => host.remove(name) },
  });
});
