import type { StoredMsg } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import Value from 'typebox/value';
import { TryItNowError } from '../domain/errors.ts';
import { FailureReport } from '../domain/failure-report.ts';
import type { QueueConnection } from './connection.ts';
import { DEAD_STREAM, deadSubject, livingSubject } from './names.ts';
import { within } from './within.ts';

export const REASON = 'Try-It-Now-Reason';
export const ATTEMPTS = 'Try-It-Now-Attempts';
const SEQUENCE = 'Try-It-Now-Sequence';
const PUBLISHED_AT = 'Try-It-Now-Published-At';
const DIED_AT = 'Try-It-Now-Died-At';
const REPORT = 'Try-It-Now-Report';
// oxlint-disable-next-line no-control-regex -- control characters are exactly what must go
const CONTROL = /[\u0000-\u001f\u007f]+/g;
const REASON_LENGTH = 1_000;
const KEEP_TIMEOUT_MS = 2_000;

/** A task as it stood in the stream when it was dead-lettered. */
export interface DeadLetter {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** In PROVISIONING. */
  readonly sequence: number;
  readonly publishedAt: Date;
  readonly attempts: number;
  readonly reason: string;
  /** Of a provision whose last attempt was looked into. */
  readonly report?: FailureReport | undefined;
}

export interface StoredDeadLetter extends DeadLetter {
  /** In PROVISIONING_DEAD: what `retry` takes. */
  readonly deadSequence: number;
  readonly diedAt: Date;
}

/** Header values are one line of printable text. */
export function headerText(text: string): string {
  return text.replace(CONTROL, ' ').trim().slice(0, REASON_LENGTH);
}

/** JSON in ASCII: a header value takes nothing else. */
function oneLine(report: FailureReport): string {
  return JSON.stringify(report).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Undefined without one, and for one of another version. */
function reportIn(fields: MsgHdrs | undefined): FailureReport | undefined {
  try {
    const value: unknown = JSON.parse(fields?.get(REPORT) ?? '');
    return Value.Check(FailureReport, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps the payload as it was, with why and when it died in the headers. Repeating it for the same task keeps one. */
export async function storeDeadLetter(
  { jetstream }: QueueConnection,
  deadLetter: DeadLetter,
  now = new Date(),
): Promise<void> {
  const fields = headers();
  fields.set(REASON, headerText(deadLetter.reason));
  fields.set(ATTEMPTS, String(deadLetter.attempts));
  fields.set(SEQUENCE, String(deadLetter.sequence));
  fields.set(PUBLISHED_AT, deadLetter.publishedAt.toISOString());
  fields.set(DIED_AT, now.toISOString());
  if (deadLetter.report !== undefined) fields.set(REPORT, oneLine(deadLetter.report));
  // The time belongs to it: a stream that was deleted and made again counts from 1 again.
  const msgID = `${deadLetter.sequence}-${deadLetter.publishedAt.getTime()}`;
  await within(KEEP_TIMEOUT_MS, ({ timeout }) =>
    jetstream.publish(deadSubject(deadLetter.subject), deadLetter.payload, { headers: fields, msgID, timeout }),
  );
}

/** As it is kept in PROVISIONING_DEAD. */
export function deadTask(
  stored: Pick<StoredMsg, 'subject' | 'seq' | 'time' | 'data'>,
  fields: MsgHdrs | undefined,
): StoredDeadLetter {
  return {
    subject: livingSubject(stored.subject),
    payload: stored.data,
    sequence: Number(fields?.get(SEQUENCE)),
    publishedAt: new Date(fields?.get(PUBLISHED_AT) ?? ''),
    attempts: Number(fields?.get(ATTEMPTS)),
    reason: fields?.get(REASON) ?? '',
    report: reportIn(fields),
    deadSequence: stored.seq,
    diedAt: stored.time,
  };
}

/** The dead tasks, oldest first. */
export async function listDead({ jetstream, manager }: QueueConnection, limit: number): Promise<StoredDeadLetter[]> {
  const { state } = await manager.streams.info(DEAD_STREAM);
  const count = Math.min(limit, state.messages);
  const tasks: StoredDeadLetter[] = [];
  if (count === 0) return tasks;
  const consumer = await jetstream.consumers.get(DEAD_STREAM);
  try {
    const messages = await consumer.fetch({ max_messages: count, expires: KEEP_TIMEOUT_MS });
    for await (const message of messages) tasks.push(deadTask(message, message.headers));
  } finally {
    await consumer.delete();
  }
  return tasks;
}

/**
 * Publishes a dead task again as it was, and only then forgets it. Throws queue_unavailable; false
 * when it is not there.
 */
export async function retryDead(connection: QueueConnection, deadSequence: number): Promise<boolean> {
  const stored = await connection.manager.streams.getMessage(DEAD_STREAM, { seq: deadSequence });
  if (stored === null) return false;
  await within(KEEP_TIMEOUT_MS, (options) =>
    connection.jetstream.publish(livingSubject(stored.subject), stored.data, options),
  ).catch((error: unknown) => {
    throw new TryItNowError(
      'queue_unavailable',
      `The dead task ${deadSequence} could not be queued again on NATS at ${connection.url}; it is kept`,
      { cause: error },
    );
  });
  await connection.manager.streams.deleteMessage(DEAD_STREAM, deadSequence, false);
  return true;
}
