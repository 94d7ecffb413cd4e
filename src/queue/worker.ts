import { setMaxListeners } from 'node:events';
import type { JsMsg } from '@nats-io/jetstream';
import { deadline } from '@nats-io/transport-node';
import { describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { NO_TRACER, type Tracer } from '../domain/tracer.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { TaskHandlers } from '../pool/interfaces/task-handlers.ts';
import type { QueueConnection } from './connection.ts';
import { ConsumerKeeper } from './consumer-keeper.ts';
import { deliver, type DeliveryContext, type QueueObserver } from './delivery.ts';
import { deadLetterExhausted } from './exhausted-tasks.ts';
import { FreeSlots } from './free-slots.ts';
import { Puller } from './puller.ts';
import { matchReplicas } from './replicas.ts';
import { DELIVERY_POLICY, ensureStreams, type Consumers, type DeliveryPolicy } from './stream-and-consumers.ts';

/** What a handler told to stop may still take to unwind before its task is left to redelivery. */
const UNWIND_MS = 1_000;
const FLUSH_TIMEOUT_MS = 1_000;
/** Of a kind. Waiting tasks cost a message to NATS now and then; below max_ack_pending, for a second process. */
export const MOST_IN_HAND = 400;
/** How soon a node that had no room, or no store, looks again whether it has. */
const LOOK_AGAIN_MS = 1_000;
/**
 * Between pulls that fail. So late tasks are fetched again once a consumer has a leader, of which NATS tells nobody.
 */
const RETRY = { baseMs: 100, maxMs: 1_000 };
/** What is missing is put back by then. A look that takes longer waits for answers that the next pull may not need. */
const LOOK_MS = 500;

export interface WorkerOptions {
  readonly connection: QueueConnection;
  /** Whose cleanup tasks to take. */
  readonly node: string;
  /** Up to this many provision tasks, and as many cleanup tasks, at once. */
  readonly count: number;
  readonly handlers: TaskHandlers;
  /** While false, no more provision tasks are fetched, so that other nodes have them; always true without it. */
  readonly hasRoom?: (() => boolean) | undefined;
  /**
   * Throws while no task could be done, as without the store: none is fetched then, and none uses up its attempts and
   * is dead before the store is back. Not asked without it.
   */
  readonly ready?: (() => Promise<void>) | undefined;
  readonly log: Log;
  readonly observer?: QueueObserver;
  readonly tracer?: Tracer;
  readonly policy?: DeliveryPolicy;
}

export interface Workers {
  /** Tasks being handled right now. */
  readonly inFlight: number;
  /**
   * Takes no more tasks, waits up to `graceMs` for those in flight, then aborts their signal. A handler that throws
   * upon that hands its task back within seconds; one that does not is left running, and its task is handed out again
   * after ack_wait. The connection stays open: anyone who opened it closes it.
   */
  readonly stop: (graceMs: number) => Promise<void>;
  /** Of those that were left running: whether they end within the limit. */
  readonly untilIdle: (limitMs: number) => Promise<boolean>;
}

interface Lane {
  readonly consumer: Exclude<keyof Consumers, 'made'>;
  readonly slots: number;
  /** Tasks under way, those that yielded their slot too. */
  readonly inHand: Set<Promise<void>>;
  readonly freeSlots: FreeSlots;
  /** Whether to fetch any. */
  readonly open?: () => boolean | Promise<boolean>;
  readonly handle: (message: JsMsg, yieldWorker: () => void) => Promise<void>;
}

/** For a process that queues tasks and does none. Throws queue_unavailable, queue_conflict. */
export async function readyQueue(connection: QueueConnection, log: Log): Promise<void> {
  await ensureStreams(connection);
  await matchReplicas(connection, log);
}

/** Starts pulling tasks once streams and consumers are as they should be. Throws queue_unavailable, queue_conflict. */
export async function startWorkers(options: WorkerOptions): Promise<Workers> {
  const { connection, node, count, handlers, log, observer, policy = DELIVERY_POLICY, tracer = NO_TRACER } = options;
  const keeper = new ConsumerKeeper({ connection, node, policy, log });
  await keeper.ensure();
  await matchReplicas(connection, log);

  const stopping = new AbortController();
  const graceOver = new AbortController();
  // Every worker and every handler listens on them; Node warns of a leak from eleven on.
  setMaxListeners(0, stopping.signal, graceOver.signal);
  const context: DeliveryContext = {
    connection,
    policy,
    handlers,
    log,
    observer,
    tracer,
    signal: graceOver.signal,
    stopping: stopping.signal,
    inHand: new Set(),
    unconfirmed: new Set(),
  };
  const puller = new Puller(connection, stopping.signal);
  // A server that comes back empty would leave the pulls unanswered until their heartbeats are missed.
  const forgetConnection = connection.onReconnect(
    () => void keeper.recover(new Error('NATS reconnected'), stopping.signal),
  );
  const lanes = lanesOf(context, options);
  const inFlight = (): Promise<void>[] => lanes.flatMap(({ inHand }) => [...inHand]);
  for (const lane of lanes)
    for (let slot = 0; slot < lane.slots; slot += 1) void runSlot(lane, { puller, keeper, stopping: stopping.signal });
  log.info({ node, workers: count, url: connection.url }, 'Queue workers started on NATS');

  return {
    get inFlight() {
      return inFlight().length;
    },
    async stop(graceMs) {
      stopping.abort();
      forgetConnection();
      puller.close();
      if (!(await allSettled(inFlight(), graceMs))) {
        log.warn(
          { unfinished: inFlight().length, graceMs },
          'Queue workers: tasks are unfinished at the end of the grace; they will be delivered again',
        );
        graceOver.abort();
        await allSettled(inFlight(), UNWIND_MS);
      }
      // The acks are on their way, not yet there: anyone who closes the connection next must not cut them off.
      if (connection.connected)
        await deadline(connection.nats.flush(), FLUSH_TIMEOUT_MS).catch((error: unknown) =>
          log.warn({ reason: describeError(error) }, 'NATS took no more acks from the queue workers'),
        );
      log.info({ node }, 'Queue workers stopped');
    },
    untilIdle: (limitMs) => allSettled(inFlight(), limitMs),
  };
}

/** Kinds never share a slot: twenty slow provisions must not keep a single container from being removed. */
function lanesOf(
  context: DeliveryContext,
  { count, hasRoom, ready }: Pick<WorkerOptions, 'count' | 'hasRoom' | 'ready'>,
): readonly Lane[] {
  const isReady = async (): Promise<boolean> => {
    try {
      await ready?.();
      return true;
    } catch {
      // Whoever lost the store has said so.
      return false;
    }
  };
  return [
    {
      consumer: 'provision',
      slots: count,
      inHand: new Set(),
      freeSlots: new FreeSlots(context.stopping),
      open: () => hasRoom?.() !== false && isReady(),
      handle: (message, yieldWorker) => deliver(context, 'provision', message, yieldWorker),
    },
    {
      consumer: 'cleanup',
      slots: count,
      inHand: new Set(),
      freeSlots: new FreeSlots(context.stopping),
      open: isReady,
      handle: (message, yieldWorker) => deliver(context, 'cleanup', message, yieldWorker),
    },
    {
      consumer: 'exhausted',
      slots: 1,
      inHand: new Set(),
      freeSlots: new FreeSlots(context.stopping),
      handle: (message) => deadLetterExhausted(context, message),
    },
  ];
}

interface SlotContext {
  readonly puller: Puller;
  readonly keeper: ConsumerKeeper;
  readonly stopping: AbortSignal;
}

/** Handles one task of the lane after another until told to stop. */
async function runSlot(lane: Lane, context: SlotContext): Promise<void> {
  const { keeper, stopping } = context;
  let failures = 0;
  while (!stopping.aborted) {
    try {
      const message = await lane.freeSlots.ask(() => nextMessage(lane, context));
      failures = 0;
      if (message !== undefined) await handOver(lane, message, stopping);
    } catch (error) {
      failures += 1;
      await Promise.race([keeper.recover(error, stopping), sleep(LOOK_MS, stopping)]);
      if (failures > 1) await sleep(backoffMs(failures - 1, RETRY), stopping);
    }
  }
}

/** Undefined when none came, or none is wanted. Throws when the consumer is gone or NATS does not answer. */
async function nextMessage(lane: Lane, { puller, keeper, stopping }: SlotContext): Promise<JsMsg | undefined> {
  if (stopping.aborted) return undefined;
  if ((await lane.open?.()) === false) {
    await sleep(LOOK_AGAIN_MS, stopping);
    return undefined;
  }
  return puller.next(keeper.consumers[lane.consumer]);
}

/** Until it is done, or waits for others: of those there are so many at most, or this worker waits with them. */
async function handOver(lane: Lane, message: JsMsg, stopping: AbortSignal): Promise<void> {
  const { inHand } = lane;
  // Made before the task is handled: it may yield at once.
  let yieldWorker = (): void => undefined;
  const yielded = new Promise<void>((resolve) => {
    yieldWorker = resolve;
  });
  const handled = lane.handle(message, yieldWorker).finally(() => inHand.delete(handled));
  inHand.add(handled);
  await Promise.race([handled, yielded]);
  // What fails from now on, fails with nobody waiting for it: the connection is closed.
  handled.catch(() => undefined);
  while (inHand.size >= MOST_IN_HAND && !stopping.aborted) await Promise.race(inHand).catch(() => undefined);
}

/** False when some are still pending after `withinMs`. */
async function allSettled(promises: Iterable<Promise<void>>, withinMs: number): Promise<boolean> {
  return withDeadline(
    withinMs,
    Promise.allSettled(promises).then(() => true),
    () => false,
  );
}
