import type { App } from '../context.ts';
import { NodeBody, NodeDrainBody, NodeParams, NodeRemoveQuery, NodeRemovedBody, NodesBody } from './node-schemas.ts';
import type { NodeOperators, NodeSnapshot } from './operators.ts';
import { operatorProblems } from './problems.ts';
import { EmptyBody, NoQuery } from './schemas.ts';
import { isoTime } from './times.ts';

const tags = ['nodes'];
const answer = { 200: NodeBody, ...operatorProblems('unknown_node') };

/** The hosts that hold instances, and what an operator decides about them. */
export function nodeRoutes(app: App, operators: NodeOperators): void {
  app.get(
    '/admin/v1/nodes',
    {
      schema: {
        tags,
        operationId: 'listNodes',
        summary: 'Every node, with what it said last',
        querystring: NoQuery,
        response: { 200: NodesBody, ...operatorProblems() },
      },
    },
    async () => ({ nodes: (await operators.nodes()).map(nodeBody) }),
  );

  app.get(
    '/admin/v1/nodes/:node',
    { schema: { tags, operationId: 'showNode', summary: 'One node', params: NodeParams, response: answer } },
    async (request) => nodeBody(await operators.node(request.params.node)),
  );

  emptyingRoutes(app, operators);

  app.delete(
    '/admin/v1/nodes/:node',
    {
      config: { audit: 'node.remove' },
      schema: {
        tags,
        operationId: 'removeNode',
        summary: 'Forget a node whose host is gone',
        description:
          'Refused while it is alive, and without `force` while instances are recorded on it. Should it come back, ' +
          'its containers are removed there.',
        params: NodeParams,
        querystring: NodeRemoveQuery,
        response: {
          200: NodeRemovedBody,
          ...operatorProblems('unknown_node', 'node_alive', 'node_in_use', 'queue_unavailable'),
        },
      },
    },
    async (request) => operators.removeNode(request.params.node, request.query.force === 'true'),
  );
}

/** Whether it gets instances. */
function emptyingRoutes(app: App, operators: NodeOperators): void {
  app.post(
    '/admin/v1/nodes/:node/cordon',
    {
      config: { audit: 'node.cordon' },
      schema: {
        tags,
        operationId: 'cordonNode',
        summary: 'Give it no new instances',
        description: 'What is ready there may still be handed out. It holds through restarts.',
        params: NodeParams,
        body: EmptyBody,
        response: answer,
      },
    },
    async (request) => nodeBody(await operators.cordon(request.params.node)),
  );

  app.post(
    '/admin/v1/nodes/:node/drain',
    {
      config: { audit: 'node.drain' },
      schema: {
        tags,
        operationId: 'drainNode',
        summary: 'Empty it',
        description:
          'As a cordon, and what is ready there goes as soon as others are ready elsewhere. Visitors finish, or end ' +
          '`within_seconds`.',
        params: NodeParams,
        body: NodeDrainBody,
        response: answer,
      },
    },
    async (request) => {
      const { within_seconds: within } = request.body;
      return nodeBody(await operators.drainNode(request.params.node, within === undefined ? undefined : within * 1000));
    },
  );

  app.post(
    '/admin/v1/nodes/:node/uncordon',
    {
      config: { audit: 'node.uncordon' },
      schema: {
        tags,
        operationId: 'uncordonNode',
        summary: 'End a cordon or a drain',
        params: NodeParams,
        body: EmptyBody,
        response: answer,
      },
    },
    async (request) => nodeBody(await operators.uncordon(request.params.node)),
  );
}

function nodeBody(node: NodeSnapshot) {
  const { name, state, control, heartbeat, heartbeatAgeMs, address, instances, freePorts, obstacles } = node;
  const { memory, disk } = heartbeat ?? {};
  return {
    name,
    state,
    since: isoTime(control.sinceMs),
    deadline: isoTime(control.deadlineMs),
    alive: heartbeat !== undefined,
    heartbeat_age_seconds: heartbeatAgeMs === undefined ? null : heartbeatAgeMs / 1000,
    address: address ?? null,
    engine: heartbeat?.engine ?? null,
    version: heartbeat?.program ?? null,
    labels: heartbeat?.labels ?? [],
    instances,
    capacity: heartbeat?.capacity ?? null,
    cpus: heartbeat?.cpus ?? null,
    ports: heartbeat?.ports ?? null,
    ports_free: freePorts,
    memory: memory ?? null,
    disk: disk === undefined ? null : { total: disk.total, available: disk.free },
    disk_low: disk?.low ?? false,
    checkpoints: heartbeat?.checkpoints ?? [],
    arrivals: Object.entries(heartbeat?.arrivals ?? {}).map(([template, arrival]) => ({ template, ...arrival })),
    avoided: [...obstacles].map(([template, { reason, lastResort }]) => ({
      template,
      reason,
      last_resort: lastResort,
    })),
  };
}
