import { hostname } from 'node:os';
import type { RunningProcess } from '../domain/running-process.ts';
import type { Operators, PreviewOperators, TemplateOperators } from '../http/admin/operators.ts';
import { funnelOf } from '../pool/funnel.ts';
import type { PoolHistory } from '../pool/interfaces/pool-history.ts';
import type { FunnelCounts } from '../pool/interfaces/funnel-counts.ts';
import {
  checkImage,
  holdImage,
  listImages,
  releaseImage,
  rollBackImage,
  type OperateImagesDeps,
} from '../pool/operate-images.ts';
import {
  endInstance,
  instanceLogs,
  listInstances,
  showInstance,
  type OperateInstancesDeps,
} from '../pool/operate-instances.ts';
import {
  cordonNode,
  drainNode,
  listNodes,
  removeNode,
  showNode,
  uncordonNode,
  type OperateNodesDeps,
} from '../pool/operate-nodes.ts';
import {
  allowNetwork,
  banNetwork,
  listNetworkRules,
  forgiveHarm,
  listHarm,
  listSuspects,
  removeNetworkRule,
  type OperateNetworksDeps,
} from '../pool/operate-networks.ts';
import { listPoolEvents, putPoolEvent, removePoolEvent, type PoolEventsDeps } from '../pool/operate-pool-events.ts';
import {
  drainPool,
  listFailures,
  listPools,
  pausePool,
  resumePool,
  setPoolTarget,
  type OperatePoolsDeps,
} from '../pool/operate-pools.ts';
import {
  listPreviews,
  putPreview,
  removePreview,
  showPreview,
  type OperatePreviewsDeps,
} from '../pool/operate-previews.ts';
import { deadEvents, listWebhooks, testWebhook, type OperateWebhooksDeps } from '../pool/operate-webhooks.ts';
import type { ProcessRegistry } from '../pool/interfaces/process-registry.ts';
import type { TemplateReload } from '../pool/reload-templates.ts';
import type { HostOperators } from './host-operators.ts';
import { dropTask, forgetDeadTask, purgeQueue, retryTask, type OperateQueueDeps } from '../pool/operate-queue.ts';

export type OperatorsDeps = OperatePoolsDeps &
  PoolEventsDeps &
  OperateInstancesDeps &
  OperateQueueDeps &
  OperateNetworksDeps &
  OperateNodesDeps &
  OperateImagesDeps &
  OperateWebhooksDeps &
  OperatePreviewsDeps & {
    readonly reload: Pick<TemplateReload, 'plan' | 'reload'>;
    readonly processes: Pick<ProcessRegistry, 'running'>;
    readonly funnel: FunnelCounts;
    readonly poolHistory: PoolHistory;
    /** On this server's host. */
    readonly host: HostOperators;
  };

function isOwn({ host, pid }: RunningProcess): boolean {
  return host === hostname() && pid === process.pid;
}

/** What the admin API asks of pool and queue, each answered by its use case. */
export function createOperators(deps: OperatorsDeps): Operators {
  const { queueAdmin } = deps;
  return {
    ...deps.host,
    pools: () => listPools(deps),
    history: (template) => deps.poolHistory.recent(template),
    failures: (template) => listFailures(deps, template),
    pause: (template, reason) => pausePool(deps, template, reason),
    drain: (template, withinMs, reason) => drainPool(deps, template, withinMs, reason),
    resume: (template) => resumePool(deps, template),
    setTarget: (template, target, forMs) => setPoolTarget(deps, template, target, forMs),
    poolEvents: (template) => listPoolEvents(deps, template),
    putPoolEvent: (template, event) => putPoolEvent(deps, template, event),
    removePoolEvent: (template, event) => removePoolEvent(deps, template, event),
    ...templateOperators(deps),
    instances: (filter) => listInstances(deps, filter),
    instance: (id) => showInstance(deps, id),
    endInstance: (id) => endInstance(deps, id),
    logs: (id, tail) => instanceLogs(deps, id, tail),
    queue: () => queueAdmin.info(),
    tasks: (limit) => queueAdmin.peek(limit),
    dropTask: (sequence) => dropTask(deps, sequence),
    deadTasks: (limit) => queueAdmin.listDead(limit),
    retryTask: (sequence) => retryTask(deps, sequence),
    retryAllTasks: () => queueAdmin.retryAll(),
    forgetDeadTask: (sequence) => forgetDeadTask(deps, sequence),
    nodes: () => listNodes(deps),
    node: (name) => showNode(deps, name),
    cordon: (name) => cordonNode(deps, name),
    drainNode: (name, withinMs) => drainNode(deps, name, withinMs),
    uncordon: (name) => uncordonNode(deps, name),
    removeNode: (name, force) => removeNode(deps, name, force),
    images: () => listImages(deps),
    checkImage: (image) => checkImage(deps, image),
    holdImage: (image, reason) => holdImage(deps, image, reason),
    releaseImage: (image) => releaseImage(deps, image),
    rollBackImage: (image) => rollBackImage(deps, image),
    funnel: (days) => funnelOf(deps, days),
    webhooks: () => listWebhooks(deps),
    deadEvents: (limit) => deadEvents(deps, limit),
    testWebhook: (name) => testWebhook(deps, name),
    networkRules: (kind) => listNetworkRules(deps, kind),
    suspects: () => listSuspects(deps),
    harm: () => listHarm(deps),
    forgive: (who) => forgiveHarm(deps, who),
    ban: (wanted, end) => banNetwork(deps, wanted, { end }),
    allow: (wanted, held) => allowNetwork(deps, wanted, held),
    removeNetworkRule: (kind, network) => removeNetworkRule(deps, kind, network),
    purge: (which) => purgeQueue(deps, which),
  };
}

function templateOperators(deps: OperatorsDeps): TemplateOperators & PreviewOperators {
  const { catalogue, processes, reload } = deps;
  return {
    catalogue: async () => ({
      revision: catalogue.revision,
      templates: catalogue.all().map(({ name, endsAtMs, previewOf, previews }) => ({
        ...{ name, endsAtMs, previewOf, previews },
        version: catalogue.version(name) ?? '',
      })),
      processes: (await processes.running()).map((each) => ({ ...each, own: isOwn(each) })),
    }),
    reloadTemplates: (dryRun) => (dryRun ? reload.plan() : reload.reload()),
    previews: (of) => listPreviews(deps, of),
    preview: (name, of) => showPreview(deps, name, of),
    putPreview: (name, wanted) => putPreview(deps, name, wanted),
    removePreview: (name, of) => removePreview(deps, name, of),
  };
}
