import Type from 'typebox';
import { describeRefusal } from '../../domain/frame-refusal.ts';
import type { App } from '../context.ts';
import type { InstanceOperators, InstanceSnapshot } from './operators.ts';
import { limitOf, operatorProblems } from './problems.ts';
import { InstanceParams, InstanceQuery, InstanceSnapshotBody, InstancesBody, LogsQuery } from './schemas.ts';
import { isoTime } from './times.ts';

const tags = ['instances'];
const TAIL = { usual: 200, most: 5_000 };

/** Every instance, idle and quarantined ones included. */
export function instanceRoutes(app: App, operators: InstanceOperators): void {
  app.get(
    '/admin/v1/instances',
    {
      schema: {
        tags,
        operationId: 'listInstances',
        summary: 'Every instance, oldest first',
        querystring: InstanceQuery,
        response: { 200: InstancesBody, ...operatorProblems() },
      },
    },
    async ({ query: { template, state, node } }) => ({
      instances: (await operators.instances({ template, state, node })).map(instanceBody),
    }),
  );

  app.get(
    '/admin/v1/instances/:id',
    {
      schema: {
        tags,
        operationId: 'showInstance',
        summary: 'One instance',
        params: InstanceParams,
        response: { 200: InstanceSnapshotBody, ...operatorProblems('unknown_instance') },
      },
    },
    async (request) => instanceBody(await operators.instance(request.params.id)),
  );

  app.delete(
    '/admin/v1/instances/:id',
    {
      config: { audit: 'instance.release' },
      schema: {
        tags,
        operationId: 'endInstance',
        summary: 'End an instance, no matter who holds it',
        description:
          'Its address stops working at once; the container follows in the background. One in quarantine is ' +
          'cleaned up again at once; one that is leaving already is left to it.',
        params: InstanceParams,
        response: { 200: InstanceSnapshotBody, ...operatorProblems('unknown_instance') },
      },
    },
    async (request) => instanceBody(await operators.endInstance(request.params.id)),
  );

  logsRoute(app, operators);
}

function logsRoute(app: App, operators: InstanceOperators): void {
  app.get(
    '/admin/v1/instances/:id/logs',
    {
      schema: {
        tags,
        operationId: 'instanceLogs',
        summary: 'The last lines its app wrote',
        params: InstanceParams,
        querystring: LogsQuery,
        response: {
          200: {
            description: `\`tail\` lines (${TAIL.usual} without it, ${TAIL.most} and 256 KiB at most).`,
            content: { 'text/plain': { schema: Type.String() } },
          },
          ...operatorProblems('unknown_instance', 'other_node', 'container_failed', 'engine_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const text = await operators.logs(request.params.id, limitOf('tail', request.query.tail, TAIL.usual, TAIL.most));
      return reply.type('text/plain; charset=utf-8').send(text);
    },
  );
}

function instanceBody({
  id,
  template,
  state,
  node,
  container,
  port,
  createdAtMs,
  deadlineMs,
  client,
  url,
  reason,
  bare,
  failures,
}: InstanceSnapshot) {
  return {
    id,
    template,
    state,
    node,
    container,
    port,
    created_at: isoTime(createdAtMs),
    expires_at: isoTime(deadlineMs),
    client: client ?? null,
    url: url ?? null,
    quarantine_reason: state === 'quarantined' ? reason : null,
    frame_refusal: bare === undefined ? null : describeRefusal(bare),
    failures: failures ?? 0,
  };
}
