/**
 * What the admin API needs of the pool. Everything may throw store_unavailable or, where it
 * is about the queue, queue_unavailable.
 */
import type { Diagnosed, OperatorJob } from '../../domain/operator-job.ts';
import type { StoredCheckpoint } from '../../pool/interfaces/checkpoint-repository.ts';
import type { PromotionStatus } from '../../pool/interfaces/promotions.ts';
import type { FailureReport } from '../../domain/failure-report.ts';
import type { RememberedHarm } from '../../domain/harm.ts';
import type { PoolSample } from '../../domain/pool-sample.ts';
import type { PreviewRules } from '../../domain/preview-rules.ts';
import type { NamedPoolEvent } from '../../domain/pool-event.ts';
import type { NetworkRule, NetworkRuleKind } from '../../domain/network-rule.ts';
import type { RunningProcess } from '../../domain/running-process.ts';
import type { Suspect } from '../../domain/suspect.ts';
import type { WantedRule } from '../../pool/operate-networks.ts';
import type { DeadEvent } from '../../pool/interfaces/webhook-admin.ts';
import type { WebhookSnapshot, WebhookTest, WebhooksOverview } from '../../pool/operate-webhooks.ts';
import type { FunnelRow } from '../../pool/funnel.ts';
import type { ImageSnapshot } from '../../pool/operate-images.ts';
import type { InstanceFilter, InstanceSnapshot } from '../../pool/operate-instances.ts';
import type { NodeSnapshot } from '../../pool/operate-nodes.ts';
import type { WantedEvent } from '../../pool/operate-pool-events.ts';
import type { PoolSnapshot } from '../../pool/operate-pools.ts';
import type { PreviewSnapshot, WantedCopy } from '../../pool/operate-previews.ts';
import type { PlannedChange, Reloaded, ReloadPlan } from '../../pool/reload-templates.ts';
import type { DeadTask, PurgeTarget, QueueInfo, QueuedTask } from '../../pool/interfaces/queue-admin.ts';

export type {
  DeadEvent,
  DeadTask,
  ImageSnapshot,
  InstanceSnapshot,
  NodeSnapshot,
  PlannedChange,
  PoolSnapshot,
  PreviewSnapshot,
  QueueInfo,
  QueuedTask,
  ReloadPlan,
  WebhookSnapshot,
};

interface PoolFailures {
  /** Why the last attempts failed, the newest first. */
  readonly failures: readonly FailureReport[];
  /** Why one that is being started is not ready so far. */
  readonly unready: FailureReport | undefined;
}

export interface PoolOperators {
  /** How it stood in the last half hour, the oldest first. */
  history(template: string): Promise<readonly PoolSample[]>;
  pools(): Promise<readonly PoolSnapshot[]>;
  /** Throws unknown_template, as the next four do. */
  failures(template: string): Promise<PoolFailures>;
  pause(template: string, reason: string | undefined): Promise<PoolSnapshot>;
  drain(template: string, withinMs: number | undefined, reason: string | undefined): Promise<PoolSnapshot>;
  resume(template: string): Promise<PoolSnapshot>;
  /** Undefined: as configured. `forMs`: for so long. Throws invalid_request too. */
  setTarget(template: string, target: number | undefined, forMs: number | undefined): Promise<PoolSnapshot>;
  /** Throws unknown_template, as the next two do. */
  poolEvents(template: string): Promise<readonly NamedPoolEvent[]>;
  /** Throws invalid_request too. */
  putPoolEvent(template: string, event: WantedEvent): Promise<NamedPoolEvent>;
  /** Throws unknown_event too. */
  removePoolEvent(template: string, event: string): Promise<void>;
}

/** A server or worker, and what it goes by. */
export type CatalogueProcess = Pick<
  RunningProcess,
  'role' | 'host' | 'pid' | 'node' | 'catalogue' | 'jobs' | 'doctor'
> & {
  /** The server that is asked. */
  readonly own: boolean;
};

export interface CatalogueState {
  readonly revision: string;
  readonly templates: readonly {
    readonly name: string;
    readonly version: string;
    readonly endsAtMs: number | undefined;
    readonly previewOf: string | undefined;
    /** Undefined: nobody may make any of it. */
    readonly previews: PreviewRules | undefined;
  }[];
  readonly processes: readonly CatalogueProcess[];
}

export interface TemplateOperators {
  catalogue(): Promise<CatalogueState>;
  /** `dryRun`: only says what would change. Throws invalid_templates too. */
  reloadTemplates(dryRun: boolean): Promise<ReloadPlan & Partial<Reloaded>>;
}

/** `of`: of this template alone, as if there were no others. */
export interface PreviewOperators {
  previews(of?: string): Promise<readonly PreviewSnapshot[]>;
  /** Throws unknown_preview, as the last one does. */
  preview(name: string, of?: string): Promise<PreviewSnapshot>;
  /** Throws unknown_template, preview_not_allowed, preview_name_taken, preview_limit, invalid_request too. */
  putPreview(name: string, wanted: WantedCopy): Promise<PreviewSnapshot>;
  removePreview(name: string, of?: string): Promise<void>;
}

export interface InstanceOperators {
  instances(filter: InstanceFilter): Promise<readonly InstanceSnapshot[]>;
  /** Throws unknown_instance, as the next two do. */
  instance(id: string): Promise<InstanceSnapshot>;
  endInstance(id: string): Promise<InstanceSnapshot>;
  /** Throws other_node, container_failed, engine_unavailable too. */
  logs(id: string, tail: number): Promise<string>;
}

export interface QueueOperators {
  queue(): Promise<QueueInfo>;
  tasks(limit: number): Promise<readonly QueuedTask[]>;
  deadTasks(limit: number): Promise<readonly DeadTask[]>;
  /** Throws unknown_task, as the next two do. */
  dropTask(sequence: number): Promise<QueuedTask>;
  retryTask(sequence: number): Promise<DeadTask>;
  forgetDeadTask(sequence: number): Promise<DeadTask>;
  retryAllTasks(): Promise<number>;
  purge(which: PurgeTarget): Promise<number>;
}

export interface NodeOperators {
  nodes(): Promise<readonly NodeSnapshot[]>;
  /** Throws unknown_node, as the next four do. */
  node(name: string): Promise<NodeSnapshot>;
  cordon(name: string): Promise<NodeSnapshot>;
  drainNode(name: string, withinMs: number | undefined): Promise<NodeSnapshot>;
  uncordon(name: string): Promise<NodeSnapshot>;
  /** Returns how many instances were discarded. Throws node_alive, node_in_use too. */
  removeNode(name: string, force: boolean): Promise<{ readonly settled: number }>;
}

export interface ImageOperators {
  images(): Promise<readonly ImageSnapshot[]>;
  /** `image`: its name, or a template's. Throws unknown_image, image_not_checked, as the next three do; image_held. */
  checkImage(image: string): Promise<ImageSnapshot>;
  holdImage(image: string, reason: string | undefined): Promise<ImageSnapshot>;
  releaseImage(image: string): Promise<ImageSnapshot>;
  /** Throws no_earlier_image, conflicting_change too. */
  rollBackImage(image: string): Promise<ImageSnapshot>;
}

export interface FunnelOperators {
  /** Of so many days up to today. */
  funnel(days: number): Promise<readonly FunnelRow[]>;
}

export interface WebhookOperators {
  webhooks(): Promise<WebhooksOverview>;
  deadEvents(limit: number): Promise<readonly DeadEvent[]>;
  /** Throws unknown_webhook. */
  testWebhook(webhook: string): Promise<WebhookTest>;
  /** What happened within so many ms; undefined: what is dead. Throws unknown_webhook and job_running. */
  replayWebhook(webhook: string, withinMs: number | undefined, who: string): OperatorJob;
}

export interface NetworkOperators {
  /** Who took an unusual share, the newest first. */
  suspects(): Promise<readonly Suspect[]>;
  /** Who had visits ended for harm lately, the worst first. */
  harm(): Promise<readonly RememberedHarm[]>;
  /** Throws unknown_network. */
  forgive(who: string): Promise<void>;
  networkRules(kind: NetworkRuleKind): Promise<readonly NetworkRule[]>;
  /** `end`: what its clients hold ends as well. Throws invalid_request, as the next two do. */
  ban(wanted: WantedRule, end: boolean): Promise<{ readonly rule: NetworkRule; readonly ended: number }>;
  allow(wanted: WantedRule, held: number): Promise<NetworkRule>;
  /** Throws unknown_network too. */
  removeNetworkRule(kind: NetworkRuleKind, network: string): Promise<void>;
}

/** On the host of the server that is asked. */
export interface CheckpointOperators {
  checkpoints(): Promise<CheckpointOverview>;
  /** Throws unknown_template and job_running; what fails after that is said of the job. */
  createCheckpoint(template: string, promote: boolean, who: string): OperatorJob;
  /** Both throw unknown_checkpoint and job_running. */
  verifyCheckpoint(id: string, who: string): Promise<OperatorJob>;
  promoteCheckpoint(id: string, who: string): Promise<OperatorJob>;
  /** Throws unknown_template and no_earlier_checkpoint. */
  rollbackCheckpoint(template: string): Promise<{ readonly from: string; readonly to: string | undefined }>;
  /** Deletes all that nothing is restored from but the newest `keep` of each template, and returns their ids. */
  pruneCheckpoints(keep: number): Promise<readonly string[]>;
}

export interface CheckpointOverview {
  readonly node: string;
  /** False: CRIU_ENABLED is false. */
  readonly enabled: boolean;
  /** The newest first. */
  readonly checkpoints: readonly StoredCheckpoint[];
  readonly promotions: readonly (PromotionStatus & { readonly template: string })[];
}

export interface DoctorOperators {
  /** Throws job_running. */
  diagnose(who: string): OperatorJob;
  /** What it found the last time, since the server started. */
  diagnosed(): Diagnosed | undefined;
  /** What operators began here, the newest first. */
  jobs(): readonly OperatorJob[];
}

export type Operators = PoolOperators &
  CheckpointOperators &
  DoctorOperators &
  TemplateOperators &
  PreviewOperators &
  InstanceOperators &
  QueueOperators &
  FunnelOperators &
  NodeOperators &
  ImageOperators &
  WebhookOperators &
  NetworkOperators;
