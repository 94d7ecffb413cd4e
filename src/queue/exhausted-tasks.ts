import type { JsMsg } from '@nats-io/jetstream';
import Type from 'typebox';
import Value from 'typebox/value';
import { describeError } from '../domain/errors.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { deadLetter, taskFields, type DeliveryContext } from './delivery.ts';
import { STREAM, isProvisionSubject } from './names.ts';
import { decodeTask } from './task-payload.ts';

/** https://github.com/nats-io/jsm.go/blob/main/schema_source/jetstream/advisory/v1/max_deliver.json */
const MaxDeliverAdvisory = Type.Object({
  timestamp: Type.String(),
  stream_seq: Type.Integer(),
  deliveries: Type.Integer(),
});

/**
 * A task whose workers died on every attempt never reaches our own last attempt: NATS stops handing it out, leaves it
 * in the stream, and says so once, in an advisory. The stream takes that advisory in as a message of its own, so nobody
 * has to be listening at that moment. Here the task it names is set aside as dead.
 */
export async function deadLetterExhausted(context: DeliveryContext, note: JsMsg): Promise<void> {
  try {
    await deadLetterNamedBy(context, note);
    note.ack();
  } catch (error) {
    context.log.error(
      { sequence: note.seq, err: error, reason: describeError(error) },
      'Given-up task could not be set aside by a queue worker; trying again',
    );
    note.nak(Math.round(backoffMs(note.info.deliveryCount, context.policy.backoff)));
  }
}

function readAdvisory(note: JsMsg): Type.Static<typeof MaxDeliverAdvisory> | undefined {
  try {
    return Value.Parse(MaxDeliverAdvisory, note.json());
  } catch {
    return undefined;
  }
}

async function deadLetterNamedBy(context: DeliveryContext, note: JsMsg): Promise<void> {
  const advisory = readAdvisory(note);
  if (advisory === undefined) {
    context.log.warn(
      { sequence: note.seq },
      'A note about a task out of deliveries could not be read by a queue worker; dropped',
    );
    return;
  }
  const { manager } = context.connection;
  const sequence = advisory.stream_seq;
  const stored = await manager.streams.getMessage(STREAM, { seq: sequence });
  // Acked after all, or purged; a younger one only has its number, in a stream made again.
  if (stored === null || stored.time > new Date(advisory.timestamp)) return;
  const decoded = decodeTask(stored.subject, stored.data);
  const reason = `NATS stopped after ${advisory.deliveries} deliveries: no worker saw the last one through`;
  await deadLetter(
    context,
    decoded.task,
    {
      subject: stored.subject,
      payload: stored.data,
      sequence,
      publishedAt: stored.time,
      attempts: advisory.deliveries,
      reason,
    },
    true,
  );
  await manager.streams.deleteMessage(STREAM, sequence, false);
  const identity = decoded.task === undefined ? {} : taskFields(decoded.task);
  context.log.error(
    { ...identity, sequence, attempt: advisory.deliveries, reason, outcome: 'dead' },
    isProvisionSubject(stored.subject) ? 'Provision task failed' : 'Cleanup task failed',
  );
  context.observer?.taskEnded(
    isProvisionSubject(stored.subject) ? 'provision' : 'cleanup',
    decoded.task === undefined ? 'unreadable' : 'dead',
    0,
  );
}
