/** Every stream, subject and consumer name, spelled here and nowhere else. Operators rely on them. */
import { TryItNowError } from '../domain/errors.ts';
import { FIRST_NODE } from '../domain/node.ts';
import type { Task } from '../domain/task.ts';

export const STREAM = 'PROVISIONING';
/** Of a task: which trace it belongs to, as W3C has it. */
export const TRACE_HEADER = 'traceparent';
export const DEAD_STREAM = 'PROVISIONING_DEAD';
export const DEAD_SUBJECTS = 'provisioning.dead.>';

/** Every task, and none of the server's notes. */
export const TASK_SUBJECTS = 'provisioning.>';
/** Of the first node; also of tasks that were queued before they were given to nodes. */
export const PROVISION_SUBJECT = 'provisioning.provision';
const PROVISION_SUBJECT_PREFIX = `${PROVISION_SUBJECT}.`;
/** Of further nodes. */
export const NODE_PROVISION_SUBJECTS = `${PROVISION_SUBJECT_PREFIX}*`;
const CLEANUP_SUBJECT_PREFIX = 'provisioning.cleanup.';
export const CLEANUP_SUBJECTS = `${CLEANUP_SUBJECT_PREFIX}*`;
/**
 * Where the server itself says that a task ran out of deliveries. Part of the stream, so that the note outlives a
 * worker that is down.
 */
export const EXHAUSTED_SUBJECTS = `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${STREAM}.*`;

/** What happened in visits, for the webhooks. */
export const EVENT_STREAM = 'VISIT_EVENTS';
export const EVENT_SUBJECTS = 'visit_events.>';
/** Of an event as it happened; every webhook may take it. */
export const EVENT_SUBJECT = 'visit_events.happened';
/** Of what visitors told of themselves: apart, because it is deleted as soon as every webhook has had it. */
export const LEAD_SUBJECTS = 'visit_events.lead.>';
export const LEAD_SUBJECT = 'visit_events.lead.happened';
/** Of who is suspected: apart, because earlier versions would not understand it. */
export const SUSPECT_SUBJECT = 'visit_events.suspected';
/** Of new images that were tried: apart for the same reason. */
export const IMAGE_SUBJECT = 'visit_events.images';
export const DEAD_EVENT_STREAM = 'VISIT_EVENTS_DEAD';
export const DEAD_EVENT_SUBJECTS = 'visit_events_dead.*';

/** Archives of checkpoints that nodes leave for each other, in pieces. */
export const CHECKPOINT_STREAM = 'CHECKPOINTS';
export const CHECKPOINT_SUBJECTS = 'checkpoints.>';
const CHECKPOINT_PREFIX = 'checkpoints.';
/** Of everything that belongs to one archive. */
export const checkpointSubjects = (id: string): string => `${CHECKPOINT_PREFIX}${id}.>`;
export const checkpointPieces = (id: string): string => `${CHECKPOINT_PREFIX}${id}.pieces`;
/** Comes after the last piece, with the size of all. */
export const checkpointEnd = (id: string): string => `${CHECKPOINT_PREFIX}${id}.end`;
export const EVERY_CHECKPOINT_END = checkpointEnd('*');
export const EVERY_CHECKPOINT_PIECES = checkpointPieces('*');
export const checkpointOfSubject = (subject: string): string =>
  subject.slice(CHECKPOINT_PREFIX.length, subject.lastIndexOf('.'));

const PROVISION_CONSUMER = 'provision-workers';
export const EXHAUSTED_CONSUMER = 'given-up-tasks';
export const WEBHOOK_CONSUMER_PREFIX = 'webhook-';
const CLEANUP_CONSUMER = 'cleanup-workers';

/** What is one token of a subject and also legal in a consumer's name. */
const NODE_TOKEN = /^[A-Za-z0-9_-]{1,63}$/;

function nodeToken(node: string): string {
  if (!NODE_TOKEN.test(node)) {
    throw new TryItNowError(
      'invalid_config',
      `The node name ${JSON.stringify(node)} cannot be part of a queue subject; use letters, digits, - and _ only`,
    );
  }
  return node;
}

/** A refill is given to a node when it is planned. */
export function provisionSubject(node: string): string {
  return node === FIRST_NODE ? PROVISION_SUBJECT : PROVISION_SUBJECT_PREFIX + nodeToken(node);
}

export function provisionConsumer(node: string): string {
  return node === FIRST_NODE ? PROVISION_CONSUMER : `${PROVISION_CONSUMER}-${nodeToken(node)}`;
}

export function isProvisionConsumer(name: string): boolean {
  return name === PROVISION_CONSUMER || name.startsWith(`${PROVISION_CONSUMER}-`);
}

export function isProvisionSubject(subject: string): boolean {
  return nodeOfProvision(subject) !== undefined;
}

/** Undefined for the subject of another kind of task. */
export function nodeOfProvision(subject: string): string | undefined {
  if (subject === PROVISION_SUBJECT) return FIRST_NODE;
  return subject.startsWith(PROVISION_SUBJECT_PREFIX) ? subject.slice(PROVISION_SUBJECT_PREFIX.length) : undefined;
}

/** Cleanup is addressed: only the node that holds the container can remove it. */
export function cleanupSubject(node: string): string {
  return CLEANUP_SUBJECT_PREFIX + nodeToken(node);
}

export function cleanupConsumer(node: string): string {
  return node === FIRST_NODE ? CLEANUP_CONSUMER : `${CLEANUP_CONSUMER}-${nodeToken(node)}`;
}

export function subjectOf(task: Task): string {
  return task.kind === 'provision' ? provisionSubject(task.node ?? FIRST_NODE) : cleanupSubject(task.node);
}

/** Of an event that is to be delivered to one webhook again. */
export function replaySubject(webhook: string): string {
  return `visit_events.again.${webhook}`;
}

/** Likewise, with what a visitor told. */
export function leadReplaySubject(webhook: string): string {
  return `visit_events.lead.again.${webhook}`;
}

/** Of an event that is delivered again, to whichever webhook. */
export function isReplay(subject: string): boolean {
  return subject.startsWith(replaySubject('')) || subject.startsWith(leadReplaySubject(''));
}

/** False for what is to be delivered again, but to another webhook. */
export function isForWebhook(webhook: string, subject: string): boolean {
  const ofAll = [EVENT_SUBJECT, LEAD_SUBJECT, SUSPECT_SUBJECT, IMAGE_SUBJECT];
  return [...ofAll, replaySubject(webhook), leadReplaySubject(webhook)].includes(subject);
}

/** Of an event that a webhook did not take. */
export function deadEventSubject(webhook: string): string {
  return `visit_events_dead.${webhook}`;
}

export function webhookConsumer(webhook: string): string {
  return `${WEBHOOK_CONSUMER_PREFIX}${webhook}`;
}

/** `provisioning.cleanup.node0` ↔ `provisioning.dead.cleanup.node0` */
export function deadSubject(subject: string): string {
  return subject.replace(/^provisioning\./, 'provisioning.dead.');
}

export function livingSubject(subject: string): string {
  return subject.replace(/^provisioning\.dead\./, 'provisioning.');
}
