import { DEAD_STREAM, STREAM } from '../../../src/queue/names.ts';
import type { FleetHost } from '../../fleet/fleet-host.ts';
import type { Fleet } from '../../fleet/fleet.ts';
import { PORTS } from '../../fleet/surroundings.ts';

interface Stream {
  readonly name: string;
  readonly state: { readonly messages: number };
  readonly cluster?: { readonly leader?: string };
  readonly consumer_detail?: readonly Consumer[];
}

interface Consumer {
  readonly name: string;
  readonly num_pending: number;
  readonly num_ack_pending: number;
  readonly num_redelivered: number;
}

/** Of one stream. */
export interface Tasks {
  readonly count: number;
  /** Whose they are and how far they have come, in words. */
  readonly where: string;
}

const ANSWER_MS = 2_000;

/** Where the stream is led, as the servers of NATS tell past the program; undefined: nowhere. */
export async function leaderOf(fleet: Fleet, stream = STREAM): Promise<FleetHost | undefined> {
  return (await led(fleet)).get(stream)?.host;
}

/** What lies in each stream of ours; undefined while one of them has no leader. */
export async function tasks(fleet: Fleet): Promise<ReadonlyMap<string, Tasks> | undefined> {
  const found = await led(fleet);
  const [alive, dead] = [found.get(STREAM), found.get(DEAD_STREAM)];
  return alive === undefined || dead === undefined
    ? undefined
    : new Map([
        [STREAM, alive.tasks],
        [DEAD_STREAM, dead.tasks],
      ]);
}

function tasksOf({ state, consumer_detail: consumers = [] }: Stream): Tasks {
  const busy = consumers.filter((each) => each.num_pending + each.num_ack_pending > 0);
  return {
    count: state.messages,
    where: busy
      .map(
        ({ name, ...of }) =>
          `${name}: ${of.num_pending} waiting, ${of.num_ack_pending} delivered, ${of.num_redelivered} of them again`,
      )
      .join('; '),
  };
}

/** Each server is asked of what it leads itself: only there the count is right. */
async function led(fleet: Fleet): Promise<ReadonlyMap<string, { readonly host: FleetHost; readonly tasks: Tasks }>> {
  const each = await Promise.all(
    fleet.hosts.map(async (host) => {
      const own = (await streams(host)).filter(({ cluster }) => cluster?.leader === `nats-${host.machine.name}`);
      return own.map((stream) => [stream.name, { host, tasks: tasksOf(stream) }] as const);
    }),
  );
  return new Map(each.flat());
}

async function streams({ machine: { address } }: FleetHost): Promise<readonly Stream[]> {
  const url = `http://${address}:${PORTS.natsMonitor}/jsz?accounts=true&streams=true&consumers=true`;
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
