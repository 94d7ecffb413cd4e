import { JetStreamApiError, jetstreamManager, type ClusterInfo, type JetStreamManager } from '@nats-io/jetstream';
import { TimeoutError } from '@nats-io/transport-node';
import type { QueueConnection } from './connection.ts';
import { DEAD_EVENT_STREAM, DEAD_STREAM, EVENT_STREAM, STREAM } from './names.ts';
import { ownStreams } from './own-streams.ts';
import { isMissing } from './stream-and-consumers.ts';

/** Where a stream or a consumer is kept in a cluster. */
export interface Copies {
  /** Such as `stream PROVISIONING` or `consumer provision-workers`. */
  readonly what: string;
  /** As it is set on the stream. */
  readonly wanted: number;
  /** The server that all goes through; undefined while there is none. */
  readonly leader: string | undefined;
  /** Servers that have all of it, the leader included. */
  readonly current: readonly string[];
  /** Servers that are behind. */
  readonly lagging: readonly string[];
  /** Servers that do not answer. */
  readonly offline: readonly string[];
}

/** Of every stream of ours and its consumers; none where NATS is a lone server. Throws queue_unavailable. */
export async function copies(connection: QueueConnection): Promise<readonly Copies[]> {
  if (connection.nats.info?.cluster === undefined) return [];
  const { manager } = connection;
  const found = await Promise.all(
    (await ownStreams(connection)).map(async ({ name, replicas }) => {
      const stream = await copiesOf(`stream ${name}`, replicas, async () => manager.streams.info(name));
      // Without it nobody lists them.
      const consumers = stream.leader === undefined ? [] : await consumersOf(connection, name);
      return [
        stream,
        ...(await Promise.all(
          consumers.map((each) =>
            copiesOf(`consumer ${each}`, replicas, async () => manager.consumers.info(name, each)),
          ),
        )),
      ];
    }),
  );
  return found.flat();
}

async function consumersOf({ manager }: QueueConnection, stream: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of manager.consumers.list(stream)) names.push(name);
  return names;
}

async function copiesOf(
  what: string,
  wanted: number,
  ask: () => Promise<{ readonly cluster?: ClusterInfo }>,
): Promise<Copies> {
  try {
    const { cluster } = await ask();
    const peers = cluster?.replicas ?? [];
    const leader = cluster?.leader === '' ? undefined : cluster?.leader;
    return {
      what,
      wanted,
      leader,
      current: [
        ...(leader === undefined ? [] : [leader]),
        ...peers.filter((peer) => peer.current && !peer.offline).map(({ name }) => name),
      ],
      lagging: peers.filter((peer) => !peer.current && !peer.offline).map(({ name }) => name),
      offline: peers.filter((peer) => peer.offline).map(({ name }) => name),
    };
  } catch (error) {
    // Only its leader answers for it.
    if (!(error instanceof TimeoutError)) throw error;
    return { what, wanted, leader: undefined, current: [], lagging: [], offline: [] };
  }
}

/** Of one stream, as far as it can be said in time. */
interface StreamCopies {
  readonly stream: string;
  readonly isLed: boolean;
  readonly areConsumersLed: boolean | undefined;
  readonly missing: number | undefined;
}

const STREAMS = [STREAM, DEAD_STREAM, EVENT_STREAM, DEAD_EVENT_STREAM];
/** Of each question; two come one after the other, and a scrape waits for 2 s. */
const SCRAPE_PATIENCE_MS = 800;
/** https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const NO_CLUSTER_LEADER = 10008;
const LEADERLESS = { isLed: false, areConsumersLed: undefined, missing: undefined } as const;

/**
 * Of every stream of ours, for scrapes: what does not answer at once has no leader. A cluster without a majority
 * answers for none, so what nobody has made so far is told by not having been seen.
 */
export class CopiesWatch {
  readonly #connection: QueueConnection;
  /** Those of tasks are made by every process that starts. */
  readonly #made = new Set<string>([STREAM, DEAD_STREAM]);

  constructor(connection: QueueConnection) {
    this.#connection = connection;
  }

  /** None from a lone server. */
  async look(): Promise<readonly StreamCopies[]> {
    const { nats } = this.#connection;
    if (nats.info?.cluster === undefined) return [];
    const manager = await jetstreamManager(nats, { timeout: SCRAPE_PATIENCE_MS, checkAPI: false });
    const found = await Promise.all(STREAMS.map((stream) => copiesInTime(manager, stream)));
    return found.flatMap((one) => {
      if (one?.isLed === true) this.#made.add(one.stream);
      return one !== undefined && this.#made.has(one.stream) ? [one] : [];
    });
  }
}

/** Undefined for a stream that is not there. */
async function copiesInTime(manager: JetStreamManager, stream: string): Promise<StreamCopies | undefined> {
  try {
    const { config, state, cluster } = await manager.streams.info(stream);
    // What is not led may still be answered for by a server that has a copy, and knows of no other.
    if (cluster?.leader === undefined || cluster.leader === '') return { ...LEADERLESS, stream };
    const whole = 1 + (cluster.replicas ?? []).filter(({ current, offline }) => current && !offline).length;
    return {
      stream,
      isLed: true,
      areConsumersLed: await areLed(manager, stream, state.consumer_count),
      missing: Math.max(0, config.num_replicas - whole),
    };
  } catch (error) {
    if (isMissing(error)) return undefined;
    const nobodyLeads = error instanceof JetStreamApiError && error.code === NO_CLUSTER_LEADER;
    if (!nobodyLeads && !(error instanceof TimeoutError)) throw error;
    return { ...LEADERLESS, stream };
  }
}

/** The list waits for the leader of each. */
async function areLed(manager: JetStreamManager, stream: string, count: number): Promise<boolean> {
  let led = 0;
  try {
    for await (const { cluster } of manager.consumers.list(stream))
      if (cluster?.leader !== undefined && cluster.leader !== '') led += 1;
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    return false;
  }
  return led >= count;
}
