import type { QueueConnection } from './connection.ts';
import { decodeTask } from './task-payload.ts';
import { DEAD_STREAM } from './names.ts';
import { deadTask, type StoredDeadLetter } from './dead-letters.ts';

/** As many of the newest dead tasks are looked through. */
const LOOK_BACK = 200;

/** The task that died last; undefined when none is kept. */
export async function newestDeath(connection: QueueConnection): Promise<StoredDeadLetter | undefined> {
  for await (const task of newestFirst(connection)) return task;
  return undefined;
}

/** Why the newest dead provision of each of these templates died. */
export async function deathsByTemplate(
  connection: QueueConnection,
  templates: readonly string[],
): Promise<ReadonlyMap<string, StoredDeadLetter>> {
  const found = new Map<string, StoredDeadLetter>();
  for await (const dead of newestFirst(connection)) {
    const { task } = decodeTask(dead.subject, dead.payload);
    if (task?.kind === 'provision' && templates.includes(task.template) && !found.has(task.template))
      found.set(task.template, dead);
    if (found.size === templates.length) break;
  }
  return found;
}

async function* newestFirst({ manager }: QueueConnection): AsyncGenerator<StoredDeadLetter> {
  const {
    state: { first_seq: first, last_seq: last, messages },
  } = await manager.streams.info(DEAD_STREAM);
  if (messages === 0) return;
  for (let seq = last; seq >= Math.max(first, last - LOOK_BACK); seq -= 1) {
    const stored = await manager.streams.getMessage(DEAD_STREAM, { seq });
    if (stored !== null) yield deadTask(stored, stored.header);
  }
}
