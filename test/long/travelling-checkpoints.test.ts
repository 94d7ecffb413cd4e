import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FleetHost } from '../fleet/fleet-host.ts';
import { startFleet, type Fleet } from '../fleet/fleet.ts';
import { acquire, open, release } from '../fleet/visits.ts';
import { whereIs } from '../fleet/whereabouts.ts';
import { titleFor, whyWithout } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';

const SHELL = ['/bin/sh', '-c'];
const KEPT = {
  name: 'kept',
  activation: { exec: [...SHELL, 'echo "$TRY_IT_NOW_INSTANCE_ID $TRY_IT_NOW_SEED" > /tmp/whoami'] },
  identity: { exec: ['/bin/busybox', 'cat', '/tmp/whoami'] },
  pool: { target: 4, max: 12 },
};
/** Has the process see another release of the kernel than there is. */
const OTHER_KERNEL = ['setarch', '--uname-2.6'];

interface Arrival {
  readonly template: string;
  readonly checkpoint: string;
  readonly state: string;
  readonly detail: string;
}

describe.skipIf(whyWithout('podman') !== undefined)(`a checkpoint in a fleet on ${titleFor('podman')}`, () => {
  let fleet: Fleet;
  let checkpoint: string;

  beforeAll(async () => {
    fleet = await startFleet(
      {
        templates: [KEPT],
        env: { CRIU_ENABLED: 'auto', OPERATOR_KEYS: 'operator-key-of-the-test-0123456789abcdef' },
      },
      [
        ['valkey', 'nats', 'podman', 'caddy', 'discovery', 'server', 'worker'],
        ['podman', 'worker'],
        ['podman', 'worker'],
      ],
    );
    const [, , odd] = fleet.hosts;
    await odd?.part('worker').stop();
    await odd?.startPart('worker', OTHER_KERNEL);
    const made = await fleet.hosts[0].tryItNow('checkpoint', 'create', KEPT.name, '--promote', '--json');
    ({ id: checkpoint } = JSON.parse(made) as { readonly id: string });
  });
  afterAll(async () => {
    await fleet[Symbol.asyncDispose]();
  });

  const arrival = async ({ machine }: FleetHost): Promise<Arrival | undefined> => {
    const shown = await fleet.hosts[0].tryItNow('nodes', 'show', machine.name, '--json');
    return (JSON.parse(shown) as { readonly arrivals: readonly Arrival[] }).arrivals[0];
  };
  const host = (index: number): FleetHost => {
    const found = fleet.hosts[index];
    if (found === undefined) throw new Error(`there is no host ${index}`);
    return found;
  };
  /** An instance that a visitor has on that host, opened through the proxy. */
  const visitOn = (at: FleetHost): Promise<void> =>
    eventually(async () => {
      const held = await acquire(fleet.servers[0], KEPT.name);
      const { host: where } = await whereIs(fleet, held);
      const status = await open(fleet.proxies[0], held);
      await release(fleet.servers[0], held);
      if (where !== at.machine) throw new Error(`it is on ${where.name}`);
      expect(status).toBe(200);
    });
  /** Each visit has another instance made, of which this host gets its share. */
  const restores = (at: FleetHost): Promise<void> =>
    eventually(async () => {
      await release(fleet.servers[0], await acquire(fleet.servers[0], KEPT.name));
      expect(at.part('worker').tail(400)).toMatch(/"method":"criu_restore".*"Instance ready"/);
    });

  it('that was promoted on one host arrives on another, which restores visitors’ instances from it', async () => {
    const other = host(1);
    await eventually(async () =>
      expect(await arrival(other)).toEqual({ template: KEPT.name, checkpoint, state: 'here', detail: '' }),
    );
    await visitOn(other);
    await restores(other);
  });

  it('has a host with another kernel make one of its own', async () => {
    const odd = host(2);
    await eventually(async () => expect(await arrival(odd)).toMatchObject({ checkpoint, state: 'own' }));
    const own = (await arrival(odd))?.detail;
    expect(own).not.toBe(checkpoint);
    await visitOn(odd);
    await restores(odd);
    const listed = await odd.tryItNow('checkpoint', 'list', '--json');
    expect(JSON.parse(listed)).toEqual([expect.objectContaining({ id: own, promoted: false })]);
  });
});
