import type { FleetHost } from '../../fleet/fleet-host.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { PORTS, type Part } from '../../fleet/surroundings.ts';
import { eventually } from '../../support/eventually.ts';

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
  part('nats', 'cut off', on(2), { called: 'worker, from NATS,', lastsMs: LONG_MS }),
  part('valkey', 'cut off', on(2), { called: 'worker, from Valkey,', lastsMs: LONG_MS }),
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
      return { node: undefined, refills, pass: await strikePart(struck, which, way) };
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
      return { node: name, refills: name, pass: await strikeHost(struck, way) };
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

function hostAt({ hosts }: Fleet, at: number): FleetHost {
  const found = hosts[at];
  if (found === undefined) throw new Error(`the fleet has no host ${at}`);
  return found;
}

/** Where the stream of tasks is led. */
async function leader(fleet: Fleet): Promise<FleetHost> {
  return eventually(async () => {
    const { address } = fleet.hosts[0].machine;
    const answer = await fetch(`http://${address}:${PORTS.natsMonitor}/jsz?accounts=true&streams=true`);
    const { account_details: accounts = [] } = (await answer.json()) as {
      readonly account_details?: readonly {
        readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[];
      }[];
    };
    const stream = accounts.flatMap(({ stream_detail: all = [] }) => all).find(({ name }) => name === 'PROVISIONING');
    const found = fleet.hosts.find(({ machine }) => `nats-${machine.name}` === stream?.cluster?.leader);
    if (found === undefined) throw new Error(`nobody leads the stream: ${JSON.stringify(accounts)}`);
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
