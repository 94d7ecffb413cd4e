import type { ConsumerInfo } from '@nats-io/jetstream';
import type { QueueConnection } from './connection.ts';
import { STREAM } from './names.ts';

/** A consumer whose memory is of a stream that is no more. */
interface AstrayConsumer {
  readonly info: ConsumerInfo;
  /** The newest task that the stream has given a number. */
  readonly lastSequence: number;
}

interface ConsumersAndEnd {
  readonly consumers: readonly ConsumerInfo[];
  readonly lastSequence: number;
}

/** The consumers are read first: the stream only grows, so none looks astray for what came in between. */
export async function consumersAndEnd({ manager }: QueueConnection): Promise<ConsumersAndEnd> {
  const consumers: ConsumerInfo[] = [];
  for await (const info of manager.consumers.list(STREAM)) consumers.push(info);
  const { state } = await manager.streams.info(STREAM);
  return { consumers, lastSequence: state.last_seq };
}

/**
 * Consumers that have handed out more than the stream ever had: its files were lost (a power cut, a disk that was put
 * back), theirs were not. They wait for a number far ahead, and hand out nothing until the stream has got there.
 */
async function astrayConsumers(connection: QueueConnection): Promise<readonly AstrayConsumer[]> {
  const { consumers, lastSequence } = await consumersAndEnd(connection);
  return consumers.filter((info) => isAstray(info, lastSequence)).map((info) => ({ info, lastSequence }));
}

export function isAstray({ delivered }: ConsumerInfo, lastSequence: number): boolean {
  return delivered.stream_seq > lastSequence;
}

/**
 * Makes them again as they were, so that they begin with the stream's first task. Whoever pulls from one notices, and
 * asks again. Returns their names. `mayReset` is asked when there are any: what another process has made again must not
 * be made again once more.
 */
export async function resetAstrayConsumers(
  connection: QueueConnection,
  mayReset: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<string[]> {
  const { manager } = connection;
  if ((await astrayConsumers(connection)).length === 0 || !(await mayReset())) return [];
  const astray = await astrayConsumers(connection);
  for (const { info } of astray) {
    await manager.consumers.delete(STREAM, info.name);
    await manager.consumers.add(STREAM, info.config);
  }
  if (astray.length > 0) connection.tasksLost();
  return astray.map(({ info }) => info.name);
}
