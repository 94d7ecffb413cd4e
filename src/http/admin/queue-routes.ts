import { TryItNowError } from '../../domain/errors.ts';
import type { App } from '../context.ts';
import type { DeadTask, QueueInfo, QueueOperators, QueuedTask } from './operators.ts';
import { limitOf, operatorProblems } from './problems.ts';
import {
  DeadBody,
  DeadTaskBody,
  EmptyBody,
  LimitQuery,
  NoQuery,
  PurgeBody,
  PurgedBody,
  QueueBody,
  RetriedBody,
  SequenceParams,
  TaskBody,
  TasksBody,
} from './schemas.ts';
import { failureBody } from './failure-routes.ts';
import { isoTime } from './times.ts';

const tags = ['queue'];
const LIMIT = { usual: 50, most: 1_000 };

/** The tasks, read without being taken, and what an operator does about them. */
export function queueRoutes(app: App, operators: QueueOperators): void {
  app.get(
    '/admin/v1/queue',
    {
      schema: {
        tags,
        operationId: 'queueInfo',
        summary: 'How much waits, and who works on it',
        querystring: NoQuery,
        response: { 200: QueueBody, ...operatorProblems('queue_unavailable') },
      },
    },
    async () => queueBody(await operators.queue()),
  );

  taskRoutes(app, operators);
  deadRoutes(app, operators);
}

function taskRoutes(app: App, operators: QueueOperators): void {
  app.get(
    '/admin/v1/queue/tasks',
    {
      schema: {
        tags,
        operationId: 'peekQueue',
        summary: 'The oldest tasks',
        description: 'Takes nothing out; those that are being worked on are among them.',
        querystring: LimitQuery,
        response: { 200: TasksBody, ...operatorProblems('queue_unavailable') },
      },
    },
    async (request) => ({
      tasks: (await operators.tasks(limitOf('limit', request.query.limit, LIMIT.usual, LIMIT.most))).map(taskBody),
    }),
  );

  app.delete(
    '/admin/v1/queue/tasks/:sequence',
    {
      config: { audit: 'queue.drop' },
      schema: {
        tags,
        operationId: 'dropTask',
        summary: 'Take a task out',
        description:
          'The room of a provision is given back at once, and the pool plans another; a cleanup comes again by ' +
          'itself within about half a minute.',
        params: SequenceParams,
        response: { 200: TaskBody, ...operatorProblems('unknown_task', 'queue_unavailable') },
      },
    },
    async (request) => taskBody(await operators.dropTask(sequenceOf(request.params.sequence))),
  );

  app.post(
    '/admin/v1/queue/purge',
    {
      config: { audit: 'queue.purge' },
      schema: {
        tags,
        operationId: 'purgeQueue',
        summary: 'Discard all tasks of one kind',
        description:
          'Those that are being worked on go on. The pools refill at once after a purge of provisions; purged ' +
          'cleanups come again by themselves.',
        body: PurgeBody,
        response: { 200: PurgedBody, ...operatorProblems('queue_unavailable') },
      },
    },
    async (request) => ({ purged: await operators.purge(request.body.which) }),
  );
}

function deadRoutes(app: App, operators: QueueOperators): void {
  app.get(
    '/admin/v1/queue/dead',
    {
      schema: {
        tags,
        operationId: 'deadTasks',
        summary: 'Dead-lettered tasks, oldest first',
        querystring: LimitQuery,
        response: { 200: DeadBody, ...operatorProblems('queue_unavailable') },
      },
    },
    async (request) => ({
      dead: (await operators.deadTasks(limitOf('limit', request.query.limit, LIMIT.usual, LIMIT.most))).map(deadBody),
    }),
  );

  retryRoutes(app, operators);

  app.delete(
    '/admin/v1/queue/dead/:sequence',
    {
      config: { audit: 'queue.forget' },
      schema: {
        tags,
        operationId: 'forgetDeadTask',
        summary: 'Forget a dead task',
        params: SequenceParams,
        response: { 200: DeadTaskBody, ...operatorProblems('unknown_task', 'queue_unavailable') },
      },
    },
    async (request) => deadBody(await operators.forgetDeadTask(sequenceOf(request.params.sequence))),
  );
}

function retryRoutes(app: App, operators: QueueOperators): void {
  app.post(
    '/admin/v1/queue/dead/:sequence/retry',
    {
      config: { audit: 'queue.retry' },
      schema: {
        tags,
        operationId: 'retryTask',
        summary: 'Queue a dead task again',
        description:
          'As it was. The room of a provision was given back when it died, and the pool has planned another since, ' +
          'so its retry only finds that it is not needed any more.',
        params: SequenceParams,
        body: EmptyBody,
        response: { 200: RetriedBody, ...operatorProblems('unknown_task', 'queue_unavailable') },
      },
    },
    async (request) => {
      await operators.retryTask(sequenceOf(request.params.sequence));
      return { retried: 1 };
    },
  );

  app.post(
    '/admin/v1/queue/dead/retry',
    {
      config: { audit: 'queue.retry' },
      schema: {
        tags,
        operationId: 'retryAllTasks',
        summary: 'Queue every dead task again',
        body: EmptyBody,
        response: { 200: RetriedBody, ...operatorProblems('queue_unavailable') },
      },
    },
    async () => ({ retried: await operators.retryAllTasks() }),
  );
}

/** Throws unknown_task: what cannot be a sequence is, to the caller, one that does not exist. */
function sequenceOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new TryItNowError(
      'unknown_task',
      `${JSON.stringify(text.slice(0, 32))} is not the sequence of a task; \`try-it-now queue peek\` and ` +
        `\`queue dead\` list them`,
    );
  return Number(text);
}

function queueBody({ messages, bytes, oldestAtMs, consumers, dead }: QueueInfo) {
  return {
    stream: { messages, bytes, oldest_at: isoTime(oldestAtMs) },
    consumers: consumers.map(({ name, pending, inFlight, redelivered, waitingPulls }) => ({
      name,
      pending,
      in_flight: inFlight,
      redelivered,
      waiting_pulls: waitingPulls,
    })),
    dead: { messages: dead },
  };
}

function taskBody({ sequence, kind, id, template, node, queuedAtMs }: QueuedTask) {
  return {
    sequence,
    kind,
    id: id ?? null,
    template: template ?? null,
    node: node ?? null,
    queued_at: isoTime(queuedAtMs),
  };
}

function deadBody({ sequence, kind, id, template, reason, report, attempts, queuedAtMs, diedAtMs }: DeadTask) {
  return {
    sequence,
    kind,
    id: id ?? null,
    template: template ?? null,
    reason,
    failure: report === undefined ? null : failureBody(report),
    attempts,
    queued_at: isoTime(queuedAtMs),
    died_at: isoTime(diedAtMs),
  };
}
