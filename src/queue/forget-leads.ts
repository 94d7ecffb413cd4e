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
    if (!Number.isSafeInteger(had) || had < 1) return 0;
    return (await manager.streams.purge(EVENT_STREAM, { filter: LEAD_SUBJECTS, seq: had + 1 })).purged;
  } catch (error) {
    // A webhook that has no place yet has had nothing.
    if (isMissing(error)) return 0;
    throw error;
  }
}
