import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PORTS } from '../fleet/surroundings.ts';
import type { FleetHost } from '../fleet/fleet-host.ts';
import { startFleet, type Fleet } from '../fleet/fleet.ts';
import { Line, acquire, open, release, type Held } from '../fleet/visits.ts';
import { connects, connectsFromInside, whereIs, type Place } from '../fleet/whereabouts.ts';
import { eventually } from '../support/eventually.ts';

const TEMPLATES = [
  { name: 'closed', title: 'Closed', description: 'Reaches nobody.', pool: { target: 4, max: 12 } },
  { name: 'open', title: 'Open', description: 'Reaches the outside.', pool: { target: 4, max: 12 }, egress: true },
];

interface Placed extends Place {
  readonly held: Held;
  readonly template: string;
}

/** One of each template on each host, after as many tries as that takes. */
async function acquireEverywhere(fleet: Fleet): Promise<readonly Placed[]> {
  const found: Placed[] = [];
  for (const { name: template } of TEMPLATES)
    await eventually(async () => {
      const held = await acquire(fleet.servers[0], template);
      const place = await whereIs(fleet, held);
      if (found.some((each) => each.template === template && each.host === place.host))
        await release(fleet.servers[0], held);
      else found.push({ ...place, held, template });
      const where = found.filter((each) => each.template === template).map(({ host }) => host.name);
      if (where.length < fleet.hosts.length) throw new Error(`${template} is only on ${where.join()}`);
    });
  return found;
}

describe('traffic between hosts', () => {
  let fleet: Fleet;
  let placed: readonly Placed[];

  beforeAll(async () => {
    // One task at a time in each process, so that every host gets some.
    fleet = await startFleet({ templates: TEMPLATES, env: { QUEUE_WORKER_COUNT: '1' } });
    placed = await acquireEverywhere(fleet);
  });
  afterAll(async () => {
    await fleet[Symbol.asyncDispose]();
  });

  it('has every proxy open instances on every host', async () => {
    expect(fleet.proxies).toHaveLength(2);
    for (const proxy of fleet.proxies)
      for (const { host, held } of placed)
        expect(await open(proxy, held), `${host.name} by ${proxy.address}`).toBe(200);
  });

  it('lets nobody but proxies reach what a host publishes', async () => {
    const [proxy] = fleet.hosts;
    await Promise.all(
      placed.map(async ({ host, port }) => {
        expect(await connects(proxy.machine, host.address, port), `a proxy to ${host.name}`).toBe(true);
        expect(await connects(fleet.stranger, host.address, port), `a stranger to ${host.name}`).toBe(false);
      }),
    );
  });

  it('lets an instance reach neither the hosts nor what they publish', async () => {
    const [{ machine: front }] = fleet.hosts;
    const servers = [PORTS.valkey, PORTS.nats, PORTS.api, PORTS.proxy].map((port) => [front.address, port] as const);
    const published = placed.map(({ host, port }) => [host.address, port] as const);
    await Promise.all(
      placed.map(async (from) => {
        expect(await connectsFromInside(from, ['127.0.0.1', 80]), 'its own app').toBe(true);
        for (const to of [...servers, ...published])
          expect(await connectsFromInside(from, to), `${from.template} on ${from.host.name} to ${to.join(':')}`).toBe(
            false,
          );
      }),
    );
  });

  it('keeps connections open while the rest of the way changes', async () => {
    const [near, other, far] = fleet.hosts;
    const visit = placed.find(({ host }) => host === far?.machine);
    if (visit === undefined || other === undefined) throw new Error('a fleet of three hosts has three');
    using line = await Line.open(fleet.proxies[0], visit.held);
    expect(await line.echo('before')).toBe('before');
    await Promise.all([other.part('caddy').kill(), other.part('discovery').kill(), near.part('discovery').kill()]);
    expect(await line.echo('alone')).toBe('alone');
    await Promise.all([other.startPart('caddy'), other.startPart('discovery'), near.startPart('discovery')]);
    expect(await line.echo('after')).toBe('after');
    for (const proxy of fleet.proxies) await eventually(async () => expect(await open(proxy, visit.held)).toBe(200));
  });

  it('has the doctor see that a host lets others in, and its worker put that right when it starts', async () => {
    const far = fleet.hosts.at(-1);
    if (far === undefined) throw new Error('a fleet has hosts');
    const asMeant = await publishedPorts(far);
    expect(asMeant.verdict).toBe('ok');
    expect(asMeant.seen).toContain(`${far.machine.address}:20000-20099, for this host, `);
    // It puts them back every 30 s.
    await far.part('worker').stop();
    await far.machine.run('iptables', '-t', 'mangle', '-F', 'PREROUTING');
    expect((await publishedPorts(far)).verdict).toBe('failure');
    await far.startPart('worker');
    expect(await publishedPorts(far)).toEqual(asMeant);
  });
});

interface Checked {
  readonly check: string;
  readonly verdict: string;
  readonly seen: string;
}

async function publishedPorts(host: FleetHost): Promise<Checked> {
  const { checks } = JSON.parse(await host.tryItNow('doctor', '--json')) as { readonly checks: readonly Checked[] };
  const found = checks.find(({ check }) => check === 'published ports');
  if (found === undefined) throw new Error('the doctor does not speak of published ports');
  return found;
}
