import { describe } from 'vitest';
import { SimulatedRuntime } from '../../src/runtime/simulated/simulated-runtime.ts';
import { template } from '../support/templates.ts';
import { containerRuntimeContract } from './container-runtime.ts';

describe('simulated', () => {
  containerRuntimeContract({ runtime: () => new SimulatedRuntime(), deployment: 'test', template });
});
