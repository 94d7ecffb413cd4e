import { sleep } from '../../../src/lifecycle/sleep.ts';
import type { FleetHost } from '../../fleet/fleet-host.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { PORTS, type Part } from '../../fleet/surroundings.ts';
import { eventually } from '../../support/eventually.ts';
import { leaderOf } from './recorded-tasks.ts';

const WAYS = ['killed', 'hung', 'cut off'] as const;
type Way = (typeof WAYS)[number];

/** Something that befalls a fleet, and passes again. */
export interface Fault {
  readonly name: string;
  /** At least for so long, ms: until those who watch for it have noticed. */
  readonly lastsMs: number;
  /** Resolves once it is there. */
  strike(fleet: Fleet): Promise<Struck>;
}

export interface Struck {
  /** What is on this host may be lost. */
  readonly node: string | undefined;
  /** From this host nothing may be handed out any more; undefined: it is not lost, or whoever decides so is. */
  readonly withdrawn: string | undefined;
  /** Where fresh instances are a sign that it is over. */
  readonly refills: string | undefined;
  /** Resolves once all that was gone runs again. */
  pass(): Promise<void>;
}

/** What nobody but this process uses, or as good as. */
const PORTS_OF: Partial<Record<Part, readonly number[]>> = {
  server: [PORTS.api],
  caddy: [PORTS.proxy],
  nats: [PORTS.nats, PORTS.natsCluster],
  valkey: [PORTS.valkey],
  sentinel: [PORTS.sentinel],
};

type Where = (fleet: Fleet) => Promise<FleetHost>;

/** A process is started again after this, and a short stop is over. */
const SHORT_MS = 6_000;
/** Of each cut, and of each time between two: longer than a connection takes to come back. */
const FLAP_MS = 3_000;
/** Longer than a node may be silent, and than a failover takes. */
const LONG_MS = 18_000;

export const FAULTS: readonly Fault[] = [
  ...[0, 1, 2].flatMap((at) => WAYS.map((way) => host(at, way))),
  part('server', 'killed', on(0)),
  part('server', 'hung', on(1)),
  part('server', 'cut off', on(0)),
  part('worker', 'killed', on(2)),
  part('worker', 'hung', on(2), { lastsMs: LONG_MS }),
  part('discovery', 'killed', on(0)),
  part('discovery', 'hung', on(1)),
  part('caddy', 'killed', on(1), { called: 'proxy' }),
  part('caddy', 'hung', on(0), { called: 'proxy' }),
  part('caddy', 'cut off', on(1), { called: 'proxy' }),
  part('nats', 'killed', leader, { called: 'NATS (leader)' }),
  part('nats', 'hung', leader, { called: 'NATS (leader)' }),
  part('nats', 'cut off', leader, { called: 'NATS (leader)' }),
  part('valkey', 'killed', primary, { called: 'Valkey (primary)' }),
  part('valkey', 'hung', primary, { called: 'Valkey (primary)', lastsMs: LONG_MS }),
  part('valkey', 'cut off', primary, { called: 'Valkey (primary)', lastsMs: LONG_MS }),
  part('sentinel', 'killed', on(0), { called: 'Sentinel' }),
  part('sentinel', 'hung', on(1), { called: 'Sentinel' }),
  part('sentinel', 'cut off', on(2), { called: 'Sentinel' }),
  fromNode('nats', 'cut off'),
  fromNode('valkey', 'cut off'),
  fromNode('nats', 'flapping'),
  fromNode('valkey', 'flapping'),
];

function on(at: number): Where {
  return (fleet) => Promise.resolve(hostAt(fleet, at));
}

function part(
  which: Part,
  way: Way,
  where: Where,
  { called = which, lastsMs = SHORT_MS }: { readonly called?: string; readonly lastsMs?: number } = {},
): Fault {
  return {
    name: `${called} ${way}`,
    lastsMs,
    strike: async (fleet) => {
      const struck = await where(fleet);
      const refills = which === 'worker' ? struck.machine.name : undefined;
      return { node: undefined, withdrawn: undefined, refills, pass: await strikePart(struck, which, way) };
    },
  };
}

async function strikePart(struck: FleetHost, which: Part, way: Way): Promise<() => Promise<void>> {
  const ports = PORTS_OF[which] ?? [];
  switch (way) {
    case 'killed':
      await struck.part(which).kill();
      return () => struck.restartPart(which);
    case 'hung':
      struck.part(which).hang();
      return () => {
        struck.part(which).wake();
        return Promise.resolve();
      };
    case 'cut off':
      await struck.machine.block(ports);
      return () => struck.machine.unblock(ports);
  }
}

function host(at: number, way: Way): Fault {
  return {
    name: `host node${at} ${way}`,
    lastsMs: LONG_MS,
    strike: async (fleet) => {
      const struck = hostAt(fleet, at);
      const { name } = struck.machine;
      // While a replica takes over nobody can be taken for lost.
      const withdrawn = (await primary(fleet)) === struck ? undefined : name;
      return { node: name, withdrawn, refills: name, pass: await strikeHost(struck, way) };
    },
  };
}

async function strikeHost(struck: FleetHost, way: Way): Promise<() => Promise<void>> {
  const { machine } = struck;
  switch (way) {
    case 'killed':
      await machine.powerOff();
      return () => struck.comeBack();
    case 'hung':
      await struck.hang();
      return () => struck.wake();
    case 'cut off':
      await machine.unplug();
      return () => machine.plugIn();
  }
}

/** All packets of a host that is not the primary to Valkey or NATS are dropped, and those that answer them. */
function fromNode(which: 'valkey' | 'nats', way: 'cut off' | 'flapping'): Fault {
  return {
    name: `node ${way === 'flapping' ? 'flapping to' : 'cut off from'} ${which === 'nats' ? 'NATS' : 'Valkey'}`,
    lastsMs: LONG_MS,
    strike: async (fleet) => {
      const main = await primary(fleet);
      const struck = fleet.hosts.find((each) => each !== main) ?? main;
      const { machine } = struck;
      const { name } = machine;
      const lost = which === 'valkey' && way === 'cut off';
      // Of NATS it would take the server beside it; of Valkey that is a replica.
      const targets = fleet.hosts
        .filter((each) => which === 'nats' || each !== struck)
        .map((each) => ({ address: each.machine.address, port: PORTS[which] }));
      const cut = async (): Promise<void> => {
        for (const each of targets) await machine.sever(each);
      };
      const join = async (): Promise<void> => {
        for (const each of targets) await machine.rejoin(each);
      };
      return {
        ...{ node: lost ? name : undefined, withdrawn: lost ? name : undefined, refills: undefined },
        pass: way === 'flapping' ? await flap(cut, join) : await cut().then(() => join),
      };
    },
  };
}

/** Cut and joined again and again; the promise that is returned ends it, joined. */
async function flap(cut: () => Promise<void>, join: () => Promise<void>): Promise<() => Promise<void>> {
  const over = new AbortController();
  const flapping = (async () => {
    while (!over.signal.aborted) {
      await cut();
      await sleep(FLAP_MS, over.signal);
      await join();
      await sleep(FLAP_MS, over.signal);
    }
  })();
  return Promise.resolve(() => {
    over.abort();
    return flapping;
  });
}

function hostAt({ hosts }: Fleet, at: number): FleetHost {
  const found = hosts[at];
  if (found === undefined) throw new Error(`the fleet has no host ${at}`);
  return found;
}

/** Where the stream of tasks is led. */
async function leader(fleet: Fleet): Promise<FleetHost> {
  return eventually(async () => {
    const found = await leaderOf(fleet);
    if (found === undefined) throw new Error('nobody leads the stream of tasks');
    return found;
  });
}

async function primary(fleet: Fleet): Promise<FleetHost> {
  return eventually(async () => {
    for (const host of fleet.hosts) {
      const ports = ['-h', host.machine.address, '-p', String(PORTS.valkey)];
      if ((await host.machine.run('valkey-cli', ...ports, 'role')).startsWith('master')) return host;
    }
    throw new Error('no Valkey is the primary');
  });
}
