import type { QueueConnection } from './connection.ts';
import { STREAM, provisionConsumer } from './names.ts';
import { isMissing } from './stream-and-consumers.ts';
import { within } from './within.ts';

/** Well within the life of the heartbeat that says so. */
const ANSWER_TIMEOUT_MS = 2_000;

/**
 * Whether the node could fetch a task right now: whoever leads its consumer answers. A ping says less: a server that is
 * cut off from the others of its cluster answers that too, and hands out nothing.
 */
export async function tasksReach(connection: QueueConnection, node: string): Promise<boolean> {
  if (!connection.connected) return false;
  try {
    await within(ANSWER_TIMEOUT_MS, () => connection.manager.consumers.info(STREAM, provisionConsumer(node)));
    return true;
  } catch (error) {
    // The workers put it back within a moment.
    return isMissing(error);
  }
}
