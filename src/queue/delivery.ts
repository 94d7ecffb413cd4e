import type { JsMsg } from '@nats-io/jetstream';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { reportOf, type FailureReport } from '../domain/failure-report.ts';
import type { Log } from '../domain/log.ts';
import type { CleanupTask, ProvisionTask, Task } from '../domain/task.ts';
import { within as withinSpan, type OpenSpan, type Tracer } from '../domain/tracer.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import type { TaskContext, TaskHandlers } from '../pool/interfaces/task-handlers.ts';
import type { QueueConnection } from './connection.ts';
import { storeDeadLetter, type DeadLetter } from './dead-letters.ts';
import { PULL_EXPIRES_MS } from './puller.ts';
import { TRACE_HEADER } from './names.ts';
import type { DeliveryPolicy } from './stream-and-consumers.ts';
import { decodeTask } from './task-payload.ts';
import { within } from './within.ts';

export type TaskKind = Task['kind'];
/** `interrupted`: stopped before it was done, and handed back. */
export type TaskOutcome = 'done' | 'retried' | 'interrupted' | 'dead' | 'unreadable';

/** What is counted about tasks; both labels come from bounded sets. */
export interface QueueObserver {
  /** A task that was handed out before came again. */
  redelivered(kind: TaskKind): void;
  taskEnded(kind: TaskKind, outcome: TaskOutcome, durationMs: number): void;
}

export interface DeliveryContext {
  readonly connection: QueueConnection;
  readonly policy: DeliveryPolicy;
  readonly handlers: TaskHandlers;
  readonly log: Log;
  readonly observer: QueueObserver | undefined;
  readonly tracer: Tracer;
  /** Aborted when the grace of a stop is over. */
  readonly signal: AbortSignal;
  /** Aborted when the stop begins. */
  readonly stopping: AbortSignal;
  /** What this process has in hands right now. */
  readonly inHand: Set<string>;
  /** Done here, but NATS did not confirm the ack. */
  readonly unconfirmed: Set<string>;
}

const ACK_TIMEOUT_MS = 2_000;
const UNCONFIRMED_KEPT = 1_000;
const FAILED = { provision: 'Provision task failed', cleanup: 'Cleanup task failed' } as const;

/** What identifies a task in a log line. */
export function taskFields(task: Task): Record<string, string> {
  return task.kind === 'provision' ? { id: task.id, template: task.template } : { id: task.id, node: task.node };
}

/**
 * Sees one delivery through: to its ack, to another attempt, or to the dead tasks. Throws only
 * when the connection is closed.
 */
export async function deliver(
  context: DeliveryContext,
  kind: TaskKind,
  message: JsMsg,
  yieldWorker: () => void = () => undefined,
): Promise<void> {
  // The time belongs to it: a stream that was deleted and made again counts from 1 again.
  const key = `${message.seq}@${message.info.timestampNanos}`;
  if (context.inHand.has(key)) {
    // NATS took us for dead (this process or its host stood still for longer than ack_wait), or mixed up a redelivery.
    // The handler at work goes on, and its ack counts for this delivery too.
    context.log.warn(
      { sequence: message.seq, attempt: message.info.deliveryCount },
      'Task was delivered again while a queue worker of this process is at it; left to that one',
    );
    return;
  }
  context.inHand.add(key);
  try {
    if (context.unconfirmed.has(key) || (await work(context, kind, message, yieldWorker)) === 'done')
      await confirm(context, key, message);
  } finally {
    context.inHand.delete(key);
  }
}

/**
 * Acks, and waits for NATS to say so: a server that is just restarting drops acks, and then delivers
 * what was done long ago.
 */
async function confirm({ unconfirmed, log }: DeliveryContext, key: string, message: JsMsg): Promise<void> {
  try {
    await within(ACK_TIMEOUT_MS, (options) => message.ackAck(options));
    unconfirmed.delete(key);
  } catch (error) {
    log.warn(
      { sequence: message.seq, reason: describeError(error) },
      'NATS did not confirm the ack of a queue worker; should the task be delivered here again, it is only acked',
    );
    for (const oldest of unconfirmed) {
      if (unconfirmed.size < UNCONFIRMED_KEPT) break;
      unconfirmed.delete(oldest);
    }
    unconfirmed.add(key);
  }
}

async function work(
  context: DeliveryContext,
  kind: TaskKind,
  message: JsMsg,
  yieldWorker: () => void,
): Promise<TaskOutcome> {
  const { policy, observer, signal } = context;
  const startedAt = performance.now();
  if (message.info.deliveryCount > 1) observer?.redelivered(kind);
  // While this goes on NATS knows that somebody is at work. It ends with the grace: what is then still running is
  // handed out again once ack_wait has passed without a sign.
  const progress = setInterval(() => signal.aborted || message.working(), policy.ackWaitMs / 3);
  try {
    const outcome = await attempt(context, message, yieldWorker);
    observer?.taskEnded(kind, outcome, performance.now() - startedAt);
    return outcome;
  } finally {
    clearInterval(progress);
  }
}

async function attempt(context: DeliveryContext, message: JsMsg, yieldWorker: () => void): Promise<TaskOutcome> {
  const { signal, stopping } = context;
  const decoded = decodeTask(message.subject, message.data);
  if (decoded.task === undefined) return afterUnreadable(context, message, decoded);
  const { task } = decoded;
  try {
    await withinSpan(beginSpan(context, message, task), () =>
      run(context.handlers, task, { attempt: message.info.deliveryCount, signal, stopping, yieldWorker }),
    );
  } catch (error) {
    return afterFailure(context, message, task, error);
  }
  return 'done';
}

/** Part of the trace that the task was queued in; a trace of its own where there was none. */
function beginSpan({ tracer }: DeliveryContext, message: JsMsg, task: Task): OpenSpan | undefined {
  const { headers, info, time } = message;
  return tracer.begin({
    name: `${task.kind} task`,
    kind: 'consumer',
    parent: headers?.get(TRACE_HEADER) || undefined,
    attributes: {
      ...(task.kind === 'provision' ? { 'try_it_now.template': task.template } : {}),
      'try_it_now.attempt': info.deliveryCount,
      'try_it_now.queued_ms': Math.max(0, Date.now() - time.getTime()),
    },
  });
}

/** One of a later version is for the workers that have it, and dead only when none of them comes. */
async function afterUnreadable(
  context: DeliveryContext,
  message: JsMsg,
  { problem: reason, isLater }: { readonly problem: string; readonly isLater: boolean },
): Promise<TaskOutcome> {
  const { policy, log } = context;
  const { subject, seq: sequence, info } = message;
  if (isLater && info.deliveryCount < policy.attempts) {
    const retryInMs = Math.round(backoffMs(info.deliveryCount, policy.backoff));
    log.warn({ subject, sequence, reason, retryInMs }, 'Task of a later version left to a worker that has it');
    message.nak(retryInMs);
    return 'retried';
  }
  log.error({ subject, sequence, reason }, 'Unreadable task set aside as dead by a queue worker');
  await deadLetterMessage(context, message, undefined, { reason });
  return 'unreadable';
}

async function afterFailure(
  context: DeliveryContext,
  message: JsMsg,
  task: Task,
  error: unknown,
): Promise<TaskOutcome> {
  const { policy, log, signal, stopping } = context;
  const reason = describeError(error);
  const failed = FAILED[task.kind];
  const { deliveryCount } = message.info;
  const report = reportOf(error);
  const fields = {
    ...taskFields(task),
    attempt: deliveryCount,
    attempts: policy.attempts,
    reason,
    // What was looked into is told by what was found; of anything else the stack tells most.
    ...(report === undefined ? { err: error } : foundFields(report)),
  };
  if (signal.aborted || (stopping.aborted && error === stopping.reason)) {
    // Not at once: the pulls of the workers that are stopping must have left the server by then.
    log.warn({ ...fields, outcome: 'interrupted' }, failed);
    message.nak(PULL_EXPIRES_MS);
    return 'interrupted';
  }
  // Another attempt at what cannot succeed unchanged would only take a worker from those that can.
  const hopeless = error instanceof TryItNowError && !error.retryable;
  if (hopeless || deliveryCount >= policy.attempts) {
    log.error({ ...fields, outcome: 'dead' }, failed);
    await deadLetterMessage(context, message, task, { reason, report });
    return 'dead';
  }
  const retryInMs = Math.round(backoffMs(deliveryCount, policy.backoff));
  log.error({ ...fields, outcome: 'retry', retryInMs }, failed);
  message.nak(retryInMs);
  return 'retried';
}

function foundFields({ code, exitCode, signal, output }: FailureReport): object {
  return {
    code,
    ...(exitCode === null ? {} : { exitCode }),
    ...(signal === null ? {} : { signal }),
    ...(output === '' ? {} : { output }),
  };
}

async function run(handlers: TaskHandlers, task: ProvisionTask | CleanupTask, context: TaskContext): Promise<void> {
  await (task.kind === 'provision' ? handlers.provision(task, context) : handlers.cleanup(task, context));
}

async function deadLetterMessage(
  context: DeliveryContext,
  message: JsMsg,
  task: Task | undefined,
  why: Pick<DeadLetter, 'reason' | 'report'>,
): Promise<void> {
  const { subject, data, seq, time, info } = message;
  const letter: DeadLetter = {
    subject,
    payload: data,
    sequence: seq,
    publishedAt: time,
    attempts: info.deliveryCount,
    ...why,
  };
  try {
    await deadLetter(context, task, letter, false);
    message.term();
  } catch (error) {
    // Delivered again, or, when this was the last delivery, reported by NATS as out of deliveries: either way it comes
    // back to us.
    context.log.error(
      { sequence: seq, err: error, reason: describeError(error) },
      'Dead task could not be set aside by a queue worker; trying again',
    );
    message.nak(Math.round(backoffMs(info.deliveryCount, context.policy.backoff)));
  }
}

/**
 * Keeps the task and tells the pool, in this order and before the task leaves the stream: whatever is cut off halfway
 * is done again from the start, so neither is ever left out. Keeping is deduplicated; `abandoned` may be told twice.
 */
export async function deadLetter(
  { connection, handlers }: DeliveryContext,
  task: Task | undefined,
  letter: DeadLetter,
  unseen: boolean,
): Promise<void> {
  await storeDeadLetter(connection, letter);
  await handlers.deadLettered(task, letter.reason, unseen);
}
