import { randomUUID } from 'node:crypto';
import type { Redis as Valkey } from 'iovalkey';
import type { AuditLog } from '../pool/interfaces/audit-log.ts';
import type { Breakers } from '../pool/interfaces/breakers.ts';
import type { PoolSizes } from '../pool/interfaces/pool-sizes.ts';
import type { PoolControls } from '../pool/interfaces/pool-controls.ts';
import { ValkeyAuditLog } from './audit-log.ts';
import { ValkeyPoolSizes } from './pool-sizes.ts';
import { ValkeyPoolControls } from './pool-controls.ts';
import type { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { NO_TRACER, type Tracer } from '../domain/tracer.ts';
import type { CheckpointOffers } from '../pool/interfaces/checkpoint-offers.ts';
import type { ClaimStore } from '../pool/interfaces/claim-store.ts';
import type { CleanupStore } from '../pool/interfaces/cleanup-store.ts';
import type { EventOutbox } from '../pool/interfaces/event-outbox.ts';
import type { FunnelCounts } from '../pool/interfaces/funnel-counts.ts';
import type { WebhookStatuses } from '../pool/interfaces/webhook-statuses.ts';
import type { FailureLog } from '../pool/interfaces/failure-log.ts';
import type { ImagePins } from '../pool/interfaces/image-pins.ts';
import type { ImageUpdates } from '../pool/interfaces/image-updates.ts';
import type { PulledImages } from '../pool/interfaces/pulled-images.ts';
import type { Inventory } from '../pool/interfaces/inventory.ts';
import type { NodeRegistry } from '../pool/interfaces/node-registry.ts';
import type { Promotions } from '../pool/interfaces/promotions.ts';
import type { UsageStore } from '../pool/interfaces/usage-store.ts';
import type { VisitSteps } from '../pool/interfaces/visit-steps.ts';
import type { WaitingList } from '../pool/interfaces/waiting-list.ts';
import type { ProvisioningStore } from '../pool/interfaces/provisioning-store.ts';
import { ValkeyProvisioningStore } from './provisioning-store.ts';
import { ValkeyBreakers } from './breakers.ts';
import { ValkeyFailureLog } from './failure-log.ts';
import { ValkeyPulledImages } from './pulled-images.ts';
import { ValkeyImagePins } from './image-pins.ts';
import { ValkeyImageUpdates } from './image-updates.ts';
import { ValkeyInventory } from './inventory.ts';
import { connectValkey, disconnectValkey, lackOfReplicas, newBriefClient, pingValkey } from './client.ts';
import { ValkeyCleanupStore, type HarmSettings } from './cleanup-store.ts';
import type { ChallengeStore } from '../pool/interfaces/challenge-store.ts';
import { ValkeyChallengeStore } from './challenge-store.ts';
import type { HarmMemory } from '../pool/interfaces/harm-memory.ts';
import { ValkeyHarmMemory } from './harm-memory.ts';
import type { ShareCounts } from '../pool/interfaces/share-counts.ts';
import { ValkeyShareCounts } from './share-counts.ts';
import { systemClock } from '../domain/clock.ts';
import type { PoolHistory } from '../pool/interfaces/pool-history.ts';
import { ValkeyPoolHistory } from './pool-history.ts';
import type { OperatorSessions } from '../pool/interfaces/operator-sessions.ts';
import { ValkeyOperatorSessions } from './operator-sessions.ts';
import type { NetworkRules } from '../pool/interfaces/network-rules.ts';
import { ValkeyNetworkRules } from './network-rules.ts';
import type { Previews } from '../pool/interfaces/previews.ts';
import { ValkeyPreviews } from './previews.ts';
import { ValkeyNodeRegistry } from './node-registry.ts';
import { ValkeyPromotions } from './promotions.ts';
import { ValkeyEventOutbox } from './event-outbox.ts';
import { ValkeyFunnelCounts } from './funnel-counts.ts';
import { ValkeyWebhookStatuses } from './webhook-statuses.ts';
import { ValkeyTurns } from './turns.ts';
import type { PagesWait } from '../pool/interfaces/pages-wait.ts';
import { ValkeyPagesWait } from './pages-wait.ts';
import type { ProcessRegistry } from '../pool/interfaces/process-registry.ts';
import { ValkeyProcessRegistry } from './process-registry.ts';
import { ValkeyVisitSteps } from './visit-steps.ts';
import { readReplication, type Replication } from './replication.ts';
import { ReplicaConfirmation } from './replica-confirmation.ts';
import { RollbackGuard } from './rollback-guard.ts';
import { Scripts } from './scripts.ts';
import type { RateLimits } from './claim-batches.ts';
import { ValkeyCheckpointOffers } from './checkpoint-offers.ts';
import { ValkeyClaimStore } from './claim-store.ts';
import { TASK_PATIENCE, type TaskPatience } from './task-patience.ts';
import { ValkeyUsageStore } from './usage-store.ts';
import { ValkeyWaitingList } from './waiting-list.ts';
import { TemplateIndex } from './template-index.ts';
import type { ValkeyAccess } from './valkey-access.ts';

export interface StoreOptions {
  readonly valkey: ValkeyAccess;
  readonly node: { readonly name: string; readonly address: string };
  readonly limits: RateLimits;
  /** HARM without it. */
  readonly harm?: HarmSettings;
  readonly portRange: { readonly start: number; readonly end: number };
  readonly portCoolDownMs: number;
  /** Below the queue's patience with a silent worker, so that a task handed out again finds the lease over. */
  readonly leaseMs?: number;
  /** TASK_PATIENCE without it. */
  readonly patience?: TaskPatience | undefined;
  readonly tracer?: Tracer;
  readonly log: Log;
}

export interface Store {
  readonly claimStore: ClaimStore;
  readonly cleanupStore: CleanupStore;
  readonly provisioningStore: ProvisioningStore;
  readonly failureLog: FailureLog;
  readonly inventory: Inventory;
  readonly usageStore: UsageStore;
  readonly registry: NodeRegistry;
  readonly promotions: Promotions;
  readonly checkpointOffers: CheckpointOffers;
  readonly imagePins: ImagePins;
  readonly imageUpdates: ImageUpdates;
  readonly pulledImages: PulledImages;
  readonly controls: PoolControls;
  readonly harmMemory: HarmMemory;
  readonly poolSizes: PoolSizes;
  readonly networkRules: NetworkRules;
  readonly previews: Previews;
  readonly challengeStore: ChallengeStore;
  readonly shareCounts: ShareCounts;
  readonly audit: AuditLog;
  readonly operatorSessions: OperatorSessions;
  readonly poolHistory: PoolHistory;
  readonly waitingList: WaitingList;
  readonly visitSteps: VisitSteps;
  readonly breakers: Breakers;
  readonly outbox: EventOutbox;
  readonly funnel: FunnelCounts;
  readonly webhookStatuses: WebhookStatuses;
  /** Of a task that one process does at a time. */
  readonly turns: Pick<ValkeyTurns, 'of' | 'held' | 'endAll'>;
  /** Of the proxy whose task that is. */
  readonly pagesWait: (task: string) => PagesWait;
  readonly processes: ProcessRegistry;
  /** For processes that hand instances out. */
  readonly rollbackGuard: RollbackGuard;
  /** Throws store_unavailable when it does not answer. */
  readonly ping: () => Promise<void>;
  /** The same, and where its replicas have fallen silent: another may have taken its place. */
  readonly requirePrimary: () => Promise<void>;
  /** Why it takes no changes for want of replicas; undefined where it takes them. Throws store_unavailable. */
  readonly lackOfReplicas: () => Promise<TryItNowError | undefined>;
  /** What would take Valkey's place. Throws store_unavailable. */
  readonly replication: () => Promise<Replication>;
  /** Called whenever the connection is there again after it was lost. */
  readonly onReturn: (listener: () => void) => void;
  readonly close: () => Promise<void>;
}

const LEASE_MS = 20_000;
/** As shipped. */
const HARM: HarmSettings = { rememberedMs: 3_600_000, pauseMs: 60_000 };

/** All state, over one connection. Throws store_unavailable when Valkey does not answer. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { valkey, node, limits, portRange, portCoolDownMs, log } = options;
  const { leaseMs = LEASE_MS, patience = TASK_PATIENCE, harm = HARM, tracer = NO_TRACER } = options;
  const client = await connectValkey({ ...valkey, log });
  const scripts = new Scripts(client, tracer);
  await scripts.load();
  const templates = new TemplateIndex(client);
  const processId = randomUUID();
  const replicas = new ReplicaConfirmation({ client, newClient: () => newBriefClient(valkey), log });
  const rollbackGuard = new RollbackGuard({ client, scripts, replicas, templates, processId, log });
  const turns = new ValkeyTurns(scripts, processId, log);
  const registry = new ValkeyNodeRegistry(client, scripts, node, log);
  const ofNode = { node: node.name, portRange, patience };
  const inventory = new ValkeyInventory(client, scripts, templates, { ...ofNode, portCoolDownMs }, log);
  return {
    claimStore: new ValkeyClaimStore({ scripts, guard: rollbackGuard, replicas, limits, tracer, log }),
    cleanupStore: new ValkeyCleanupStore(scripts, templates, { portCoolDownMs, patience, harm }, log),
    provisioningStore: new ValkeyProvisioningStore(
      scripts,
      { ...ofNode, leaseMs, nodeNames: () => registry.names(), settlePorts: () => inventory.reconcilePorts() },
      log,
    ),
    failureLog: new ValkeyFailureLog(client, log),
    inventory,
    usageStore: new ValkeyUsageStore(scripts, client),
    registry,
    promotions: new ValkeyPromotions(scripts, node.name),
    checkpointOffers: new ValkeyCheckpointOffers(client),
    imagePins: new ValkeyImagePins(client, scripts, node.name),
    imageUpdates: new ValkeyImageUpdates(client, scripts, node.name),
    pulledImages: new ValkeyPulledImages(client, node.name, systemClock),
    controls: new ValkeyPoolControls(client, scripts),
    poolSizes: new ValkeyPoolSizes(client, scripts, log),
    challengeStore: new ValkeyChallengeStore(client),
    shareCounts: new ValkeyShareCounts(client, scripts, systemClock, log),
    harmMemory: new ValkeyHarmMemory(client, scripts),
    networkRules: new ValkeyNetworkRules(client, scripts, log),
    previews: new ValkeyPreviews(client, scripts, log),
    audit: new ValkeyAuditLog(client),
    operatorSessions: new ValkeyOperatorSessions(client, scripts),
    poolHistory: new ValkeyPoolHistory(client),
    waitingList: new ValkeyWaitingList(client, scripts),
    visitSteps: new ValkeyVisitSteps(client, scripts, log),
    breakers: new ValkeyBreakers(client),
    outbox: new ValkeyEventOutbox(client, turns.of('events')),
    funnel: new ValkeyFunnelCounts(client),
    webhookStatuses: new ValkeyWebhookStatuses(client),
    turns,
    pagesWait: (task) => new ValkeyPagesWait(client, scripts, task),
    processes: new ValkeyProcessRegistry(scripts, processId),
    rollbackGuard,
    ...ofTheServer(client, replicas),
  };
}

function ofTheServer(
  client: Valkey,
  replicas: ReplicaConfirmation,
): Pick<Store, 'ping' | 'requirePrimary' | 'lackOfReplicas' | 'replication' | 'onReturn' | 'close'> {
  return {
    ping: () => pingValkey(client),
    requirePrimary: async () => {
      await pingValkey(client);
      await replicas.requireAnswers();
    },
    lackOfReplicas: () => lackOfReplicas(client),
    replication: () => readReplication(client),
    onReturn: (listener) => void client.on('ready', listener),
    close: async () => {
      replicas.close();
      await disconnectValkey(client);
    },
  };
}
