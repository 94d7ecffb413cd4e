import type { StandIn } from '../engine.ts';

export const SIMULATED = {
  name: 'simulated',
  title: 'The simulated engine',
  runsContainers: false,
  restoresCheckpoints: false,
  relaysPorts: false,
  socket: {
    variable: 'SIMULATED_SOCKET',
    default: undefined,
    otherwise: 'not set: simulated instances are part of the server, and end with it',
    about:
      'The socket of a simulated engine that is a process of its own (`try-it-now simulated-engine`), so that ' +
      'simulated instances outlive the server as containers do. For tests and drills.',
  },
} as const satisfies StandIn;
