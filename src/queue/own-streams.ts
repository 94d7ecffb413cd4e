import { TryItNowError } from '../domain/errors.ts';
import type { QueueConnection } from './connection.ts';
import {
  CHECKPOINT_STREAM,
  CHECKPOINT_SUBJECTS,
  DEAD_EVENT_STREAM,
  DEAD_EVENT_SUBJECTS,
  DEAD_STREAM,
  DEAD_SUBJECTS,
  EVENT_STREAM,
  EVENT_SUBJECTS,
  PROVISION_SUBJECT,
  STREAM,
} from './names.ts';

/** By name, a subject that tells ours from a namesake. */
const OWN: ReadonlyMap<string, string> = new Map([
  [STREAM, PROVISION_SUBJECT],
  [DEAD_STREAM, DEAD_SUBJECTS],
  [EVENT_STREAM, EVENT_SUBJECTS],
  [DEAD_EVENT_STREAM, DEAD_EVENT_SUBJECTS],
  [CHECKPOINT_STREAM, CHECKPOINT_SUBJECTS],
]);

export interface OwnStream {
  readonly name: string;
  readonly messages: number;
  readonly replicas: number;
}

/** A stream of our name that takes other subjects is somebody else's. Throws queue_unavailable. */
export async function ownStreams({ manager, url }: QueueConnection): Promise<readonly OwnStream[]> {
  const found: OwnStream[] = [];
  try {
    for await (const { config, state } of manager.streams.list()) {
      const subject = OWN.get(config.name);
      if (subject !== undefined && config.subjects.includes(subject))
        found.push({ name: config.name, messages: state.messages, replicas: config.num_replicas });
    }
  } catch (error) {
    throw new TryItNowError('queue_unavailable', `The streams could not be listed on NATS at ${url}`, { cause: error });
  }
  return found;
}

/** With its consumers and all tasks. Throws queue_unavailable. */
export async function deleteStream({ manager, url }: QueueConnection, name: string): Promise<void> {
  try {
    await manager.streams.delete(name);
  } catch (error) {
    throw new TryItNowError('queue_unavailable', `The stream ${name} could not be deleted on NATS at ${url}`, {
      cause: error,
    });
  }
}

/** The consumers whose tasks some worker asks for right now. Throws queue_unavailable. */
export async function consumersInUse({ manager, url }: QueueConnection): Promise<readonly string[]> {
  const used: string[] = [];
  try {
    for await (const { name, num_waiting: waiting } of manager.consumers.list(STREAM)) if (waiting > 0) used.push(name);
  } catch (error) {
    throw new TryItNowError('queue_unavailable', `The consumers could not be listed on NATS at ${url}`, {
      cause: error,
    });
  }
  return used;
}
