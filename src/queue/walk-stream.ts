import type { MsgRequest, StoredMsg } from '@nats-io/jetstream';
import type { QueueConnection } from './connection.ts';

/**
 * What a stream holds on these subjects, oldest first, from a place in it on; a consumer would take from a work queue
 * what it shows.
 */
export async function* walkStream(
  { manager }: QueueConnection,
  stream: string,
  subjects: string,
  from = 1,
): AsyncGenerator<StoredMsg> {
  for (let seq = from; ;) {
    // The server takes both together since 2.9; the client's types know of it for another call only.
    const next = { seq, next_by_subj: subjects } as MsgRequest;
    const stored = await manager.streams.getMessage(stream, next);
    if (stored === null) return;
    yield stored;
    seq = stored.seq + 1;
  }
}
