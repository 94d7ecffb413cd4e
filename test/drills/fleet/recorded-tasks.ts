import { DEAD_STREAM, STREAM } from '../../../src/queue/names.ts';
import type { FleetHost } from '../../fleet/fleet-host.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { PORTS } from '../../fleet/surroundings.ts';

interface Stream {
  readonly name: string;
  readonly state: { readonly messages: number };
  readonly cluster?: { readonly leader?: string };
}

const ANSWER_MS = 2_000;

/** Where the stream is led, as the servers of NATS tell past the program; undefined: nowhere. */
export async function leaderOf(fleet: Fleet, stream = STREAM): Promise<FleetHost | undefined> {
  return (await led(fleet)).get(stream)?.host;
}

/** How many tasks lie in each stream of ours; undefined while one of them has no leader. */
export async function tasks(fleet: Fleet): Promise<ReadonlyMap<string, number> | undefined> {
  const found = await led(fleet);
  const [alive, dead] = [found.get(STREAM), found.get(DEAD_STREAM)];
  return alive === undefined || dead === undefined
    ? undefined
    : new Map([
        [STREAM, alive.messages],
        [DEAD_STREAM, dead.messages],
      ]);
}

/** Each server is asked of what it leads itself: only there the count is right. */
async function led(
  fleet: Fleet,
): Promise<ReadonlyMap<string, { readonly host: FleetHost; readonly messages: number }>> {
  const each = await Promise.all(
    fleet.hosts.map(async (host) => {
      const own = (await streams(host)).filter(({ cluster }) => cluster?.leader === `nats-${host.machine.name}`);
      return own.map(({ name, state: { messages } }) => [name, { host, messages }] as const);
    }),
  );
  return new Map(each.flat());
}

async function streams({ machine: { address } }: FleetHost): Promise<readonly Stream[]> {
  const url = `http://${address}:${PORTS.natsMonitor}/jsz?accounts=true&streams=true`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    const { account_details: accounts = [] } = (await answer.json()) as {
      readonly account_details?: readonly { readonly stream_detail?: readonly Stream[] }[];
    };
    return accounts.flatMap(({ stream_detail: all = [] }) => all);
  } catch {
    // It is down, or hangs.
    return [];
  }
}
