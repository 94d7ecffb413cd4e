import { HEARTBEAT_VERSION, type FleetNode, type Heartbeat } from '../../src/domain/node.ts';

/** A node that is alive and idle, and offers the template `tiny`; every test overrides what it is about. */
export function fleetNode({
  heartbeat,
  ...overrides
}: Partial<Omit<FleetNode, 'heartbeat'>> & { readonly heartbeat?: Partial<Heartbeat> } = {}): FleetNode {
  return {
    name: 'node0',
    address: '127.0.0.1',
    heartbeat: {
      v: HEARTBEAT_VERSION,
      address: '127.0.0.1',
      engine: 'simulated',
      program: 'test',
      labels: [],
      cpus: 2,
      ports: 100,
      templates: { tiny: '' },
      checkpoints: [],
      ...heartbeat,
    },
    heartbeatAgeMs: 0,
    lostForMs: undefined,
    losses: 0,
    control: { mode: 'active', sinceMs: undefined, deadlineMs: undefined, overdue: false },
    held: 0,
    placed: 0,
    freePorts: 100,
    ...overrides,
  };
}
