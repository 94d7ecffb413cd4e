import type { MsgRequest, NextMsgRequest } from '@nats-io/jetstream';
import type { QueueConnection } from './connection.ts';
import { EVENT_STREAM, LEAD_SUBJECTS, webhookConsumer } from './names.ts';
import { isMissing } from './stream-and-consumers.ts';

/**
 * Deletes what visitors told of themselves once each of these webhooks has had it, and everything before it: all other
 * events stay for replays. Returns how many were deleted. Throws what NATS throws.
 */
export async function forgetDeliveredLeads({ manager }: QueueConnection, webhooks: readonly string[]): Promise<number> {
  try {
    const places = await Promise.all(
      webhooks.map((name) => manager.consumers.info(EVENT_STREAM, webhookConsumer(name))),
    );
    const had = Math.min(...places.map(({ ack_floor }) => ack_floor.stream_seq));
    let deleted = 0;
    // One by one: NATS takes a purge of some subjects for one of all that consumers have yet to be handed.
    for (let from = 1; from <= had;) {
      const next: NextMsgRequest = { seq: from, next_by_subj: LEAD_SUBJECTS };
      // The client's types know it for direct requests alone; what is sent is the same.
      const lead = await manager.streams.getMessage(EVENT_STREAM, next as unknown as MsgRequest);
      if (lead === null || lead.seq > had) break;
      await manager.streams.deleteMessage(EVENT_STREAM, lead.seq, true);
      deleted += 1;
      from = lead.seq + 1;
    }
    return deleted;
  } catch (error) {
    // A webhook that has no place yet has had nothing.
    if (isMissing(error)) return 0;
    throw error;
  }
}
