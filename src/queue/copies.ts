import type { ClusterInfo } from '@nats-io/jetstream';
import { TimeoutError } from '@nats-io/transport-node';
import type { QueueConnection } from './connection.ts';
import { ownStreams } from './own-streams.ts';

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
