import { JetStreamApiError } from '@nats-io/jetstream';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { QueueConnection } from './connection.ts';
import { ownStreams } from './own-streams.ts';

/** JetStream's own codes, https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const NO_SUITABLE_PEERS = 10005;
const NO_CLUSTER = 10074;

/** Throws queue_unavailable when that is why NATS would not keep a stream so often; returns otherwise. */
export function refuseForTooFew({ replicas, url }: QueueConnection, stream: string, error: unknown): void {
  if (!(error instanceof JetStreamApiError) || ![NO_SUITABLE_PEERS, NO_CLUSTER].includes(error.code)) return;
  throw new TryItNowError(
    'queue_unavailable',
    `QUEUE_REPLICAS is ${replicas}, but NATS at ${url} has not so many servers to keep the stream ${stream} on ` +
      `(${error.message}); start the others, or lower QUEUE_REPLICAS`,
    { cause: error },
  );
}

/**
 * Has the streams that exist kept by as many servers as the setting says; their consumers follow. Once, when a process
 * starts: were it done whenever something is put back, two processes with different settings would undo each other's
 * change without end. Throws queue_unavailable.
 */
export async function matchReplicas(connection: QueueConnection, log: Log): Promise<void> {
  const { manager, replicas, url } = connection;
  for (const { name, replicas: before } of await ownStreams(connection)) {
    if (before === replicas) continue;
    await manager.streams.update(name, { num_replicas: replicas }).catch((error: unknown) => {
      refuseForTooFew(connection, name, error);
      throw error;
    });
    log.info({ url, stream: name, before, replicas }, 'NATS keeps a stream on another number of servers from now on');
  }
}
