import type { StandInBehaviour } from '../engine.ts';
import { LOOPBACK } from '../isolation/publishing.ts';
import { RemoteSimulatedRuntime } from './remote-simulated-runtime.ts';
import { SimulatedRuntime } from './simulated-runtime.ts';

export const behaviour: StandInBehaviour = {
  createRuntime: ({ socketPath, deployment, node, publishing = LOOPBACK }) => {
    const { address } = publishing;
    return socketPath === undefined
      ? new SimulatedRuntime(undefined, undefined, address)
      : new RemoteSimulatedRuntime({ socketPath, deployment, node, address });
  },
};
