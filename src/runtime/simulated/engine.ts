import type { StandInBehaviour } from '../engine.ts';
import { RemoteSimulatedRuntime } from './remote-simulated-runtime.ts';
import { SimulatedRuntime } from './simulated-runtime.ts';

export const behaviour: StandInBehaviour = {
  createRuntime: ({ socketPath, deployment, node }) =>
    socketPath === undefined ? new SimulatedRuntime() : new RemoteSimulatedRuntime({ socketPath, deployment, node }),
};
