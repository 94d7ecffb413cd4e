import { dirname } from 'node:path';
import {
  chooseEngine,
  connectDatabase,
  connectDatabases,
  createCheckpointing,
  createNetworks,
  createRuntime,
  isInProcess,
  isLastResort,
  publishing,
} from './engines.ts';
import { Infrastructure } from './infrastructure.ts';
import { openCheckpointShare } from './checkpoint-carrier.ts';
import { besideServers } from './proxy-task.ts';
import { openCheckpointRepository } from '../checkpoints/repository.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import { DATABASE_ENGINES, DATABASE_SERVERS } from '../domain/database.ts';
import type { Log } from '../domain/log.ts';
import { FIRST_NODE, NO_NODE } from '../domain/node.ts';
import { hasEnded } from '../domain/template.ts';
import { apiChecks, ownMetrics } from '../doctor/api.ts';
import { connectionsCheck } from '../doctor/connections.ts';
import { driftChecks } from '../doctor/drift.ts';
import { caddyChecks, proxyReachedCheck } from '../doctor/caddy.ts';
import { NotChecked, Shared, type Check } from '../doctor/check.ts';
import { certificateChecks } from '../doctor/certificates.ts';
import { checkpointChecks, type CheckpointTargets } from '../doctor/checkpoints.ts';
import { databaseChecks } from '../doctor/database.ts';
import { discoveryChecks } from '../doctor/discovery.ts';
import { egressNamesChecks } from '../doctor/egress-names.ts';
import { nameServerChecks } from '../doctor/name-servers.ts';
import { engineChecks, hiddenEngineChecks, noEngineCheck, standInChecks } from '../doctor/engine.ts';
import { diskChecks, fileLimitCheck, type Folder } from '../doctor/host.ts';
import { harmCheck } from '../doctor/harm.ts';
import { gateCheck } from '../doctor/gate.ts';
import { imageChecks } from '../doctor/images.ts';
import { loginProviderChecks } from '../doctor/login-provider.ts';
import { natsChecks } from '../doctor/nats.ts';
import { nodeChecks } from '../doctor/nodes.ts';
import { poolChecks } from '../doctor/pools.ts';
import { previewChecks } from '../doctor/previews.ts';
import { serversCheck } from '../doctor/servers.ts';
import { shareCheck } from '../doctor/shares.ts';
import { startAtBootCheck } from '../doctor/start-at-boot.ts';
import { portChecks } from '../doctor/tcp-ports.ts';
import { readNames, readPorts } from '../doctor/stored-state.ts';
import { stockInSwapChecks } from '../doctor/stock-in-swap.ts';
import { hostSwap } from '../runtime/docker/host-memory.ts';
import { memorySharingChecks } from '../doctor/memory-sharing.ts';
import { sharedLimitsCheck } from '../doctor/shared-limits.ts';
import { traceChecks } from '../doctor/traces.ts';
import { usageChecks } from '../doctor/usage.ts';
import { valkeyChecks } from '../doctor/valkey.ts';
import { webhookChecks } from '../doctor/webhooks.ts';
import type { FailureReport } from '../domain/failure-report.ts';
import type { ImagePin } from '../domain/image-pin.ts';
import type { DriftDeps } from '../pool/detect-drift.ts';
import { OidcProvider } from '../oidc/oidc-provider.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { deathsByTemplate } from '../queue/dead-reasons.ts';
import { JetStreamWebhookAdmin } from '../queue/webhook-admin.ts';
import { createPublisher } from '../queue/publisher.ts';
import type { Store } from '../store/store.ts';
import { isThisNode, ownBoot } from './own-host.ts';
import { fleetState, imageState, poolState, previewState } from './doctor-state.ts';
import { templatesOffered } from './stored-previews.ts';
import { addressTowards } from '../fleet/own-address.ts';
import { bridgeAddress } from '../runtime/isolation/bridges.ts';
import { networkFor, networkPlan } from '../runtime/isolation/network-plan.ts';
import type { EngineFacts } from '../runtime/engine.ts';
import { KernelPageMerging } from '../runtime/page-merging/page-merging.ts';
import type { Engine } from '../runtime/engines.ts';
import { NO_ENGINE } from '../runtime/no-engine.ts';

export interface DoctorContext {
  readonly checks: readonly Check[];
  /** Once what the checks made for a trial is removed again, however long the checks themselves were waited for. */
  readonly tidied: () => Promise<void>;
  /** Does not wait for what hangs. */
  readonly close: () => void;
}

const VALKEY_DOWN = 'Valkey cannot be used';
const NATS_DOWN = 'NATS does not answer';
const ENGINE_DOWN = 'the container engine does not answer';

/**
 * Every check of this deployment on this node. Nothing but Valkey, which has the previews, is connected before a check
 * asks for it, and no part's absence keeps the others from being checked.
 */
export async function openDoctorContext(own: Config, log: Log): Promise<DoctorContext> {
  const closers: (() => unknown)[] = [];
  const trials: Promise<unknown>[] = [];
  const infrastructure = new Infrastructure({
    config: own,
    log,
    releasers: { push: (_, close) => closers.push(close) },
  });
  const valkey = new Shared(() => infrastructure.openValkey(), VALKEY_DOWN);
  const store = new Shared(() => infrastructure.openStore(), VALKEY_DOWN);
  const config = { ...own, templates: await templatesOffered(own, store) };
  const { node, containers, templates, proxy: addresses } = config;
  const hasProxy = node.name === FIRST_NODE || node.name === NO_NODE;
  const queue = new Shared(() => infrastructure.openQueue(), NATS_DOWN);
  const proxy = infrastructure.createProxy(besideServers(() => store.get(), config));
  const site = new Shared(() => proxy.check(), "Caddy's admin API does not answer");
  const engine = await chooseEngine(config, log);
  const answer = engineAnswer(engine, config);
  const metrics = new Shared(() => ownMetrics(config), '');
  const drift = new Shared(
    async (): Promise<DriftDeps> => ({
      ...(await recordedState(await store.need(), queue, config, log)),
      ...visibleEngine(engine, answer, config, log),
    }),
    VALKEY_DOWN,
  );
  return {
    checks: [
      ...valkeyChecks(valkey, config.valkey),
      ...natsChecks(queue, node.name),
      // The proxy is looked after by the node it runs on, and discovery answers beside it.
      ...(hasProxy
        ? [...caddyChecks(site, addresses), ...certificateChecks({ ...addresses, publicUrl: config.server.publicUrl })]
        : []),
      ...(node.name === NO_NODE ? [] : [proxyReachedCheck(addresses)]),
      ...(hasProxy ? discoveryChecks(addresses.discovery, async () => readNames(await valkey.need())) : []),
      ...usageChecks(templates, new Shared(async () => (await store.need()).usageStore, VALKEY_DOWN)),
      ...enginePart(engine, answer, config, log, store),
      ...checkpointPart({ config, store, engine, answer, log, underWay: (trial) => trials.push(trial) }),
      ...(await databasePart(config, log)),
      ...(node.name === NO_NODE
        ? []
        : portChecks({
            range: containers.portRange,
            coolDownMs: containers.portCoolDownMs,
            state: new Shared(async () => readPorts(await valkey.need(), node.name), VALKEY_DOWN),
          })),
      ...diskChecks(folders(config, engine, answer, async () => valkeyFolder(config, await valkey.need()))),
      ...hostPart(engine, metrics, config, hasProxy),
      ...serverPart(config, metrics, store),
      ...poolPart(store, queue, metrics, config),
      ...driftChecks(
        drift,
        async () => ((await isThisNode(node, await store.need())) ? 'all' : 'pool'),
        async () => (await metrics.get()) !== undefined,
      ),
    ],
    tidied: () => Promise.allSettled(trials).then(() => undefined),
    close: () => closers.forEach((close) => void Promise.resolve(close()).catch(() => undefined)),
  };
}

/** The one here, and all that share its store. */
function serverPart(config: Config, metrics: Shared<string | undefined>, store: Shared<Store>): Check[] {
  return [
    ...apiChecks(config, () => metrics.get()),
    ...loginProviderChecks(config.admin.oidc && new OidcProvider(config.admin.oidc)),
    serversCheck(running(store)),
    ...nodeChecks(
      new Shared(async () => fleetState(await store.need(), config), VALKEY_DOWN),
      config.templates.map(({ name }) => name),
      { node: config.node.name, boot: ownBoot, addressTowards },
    ),
  ];
}

function running(store: Shared<Store>): Shared<Store['processes']> {
  return new Shared(async () => (await store.need()).processes, VALKEY_DOWN);
}

function hostPart(
  engine: Engine,
  metrics: Shared<string | undefined>,
  { templates, databases }: Config,
  hasProxy: boolean,
): Check[] {
  return [
    fileLimitCheck(() => metrics.get()),
    startAtBootCheck([
      ...(hasProxy ? ['caddy'] : []),
      ...(engine.runsContainers ? [engine.unit] : []),
      // Those that hosts share are elsewhere.
      ...DATABASE_ENGINES.filter((each) => databases[each] !== undefined && databases[each].shared === undefined),
    ]),
    ...(engine.runsContainers
      ? [
          sharedLimitsCheck(),
          connectionsCheck(templates),
          ...memorySharingChecks({ templates, engine, merging: new KernelPageMerging() }),
          ...stockInSwapChecks({ templates, swap: hostSwap }),
        ]
      : []),
  ];
}

function engineAnswer(engine: Engine, { containers }: Config): Shared<EngineFacts> {
  return new Shared(() => {
    if (!engine.runsContainers) throw new NotChecked(`the engine is ${engine.name}`);
    return engine.inspect(containers.sockets[engine.name]).facts();
  }, ENGINE_DOWN);
}

function enginePart(
  engine: Engine,
  answer: Shared<EngineFacts>,
  config: Config,
  log: Log,
  store: Shared<Store>,
): Check[] {
  const { sockets } = config.containers;
  if (engine.runsContainers) {
    const plan = networkPlan(engine.name, config.deployment);
    return [
      ...engineChecks(
        engine,
        sockets[engine.name],
        answer,
        { ...config, publishing: publishing(config), pins: () => pinnedImages(store, config) },
        () => ongoingFailures(store, config),
      ),
      ...egressNamesChecks(config.templates),
      ...nameServerChecks(config.templates, (template) => bridgeAddress(networkFor(plan, template).bridge)),
    ];
  }
  if (engine.name === NO_ENGINE.name) return [noEngineCheck(running(store))];
  const socketPath = sockets[engine.name];
  if (socketPath === undefined) return hiddenEngineChecks(isLastResort(engine, config));
  return standInChecks(() => createRuntime(engine, config, log).list(), socketPath);
}

/**
 * A simulated engine within the server cannot be seen: that looks like an engine which does not answer,
 * not like one without containers.
 */
function visibleEngine(
  engine: Engine,
  answer: Shared<EngineFacts>,
  config: Config,
  log: Log,
): Pick<DriftDeps, 'runtime' | 'networks'> {
  if (isInProcess(engine, config)) {
    return {
      runtime: {
        list: () =>
          Promise.reject(new NotChecked('simulated containers live inside the server and cannot be seen from here')),
      },
      networks: undefined,
    };
  }
  const [runtime, networks] = [createRuntime(engine, config, log), createNetworks(engine, config, log)];
  if (networks === undefined) return { runtime, networks };
  // One that hangs is waited for once, and not by each check of the drift detection.
  const awake = async <T>(look: () => Promise<T>): Promise<T> => answer.need().then(look);
  return {
    runtime: { list: () => awake(() => runtime.list()) },
    networks: {
      unused: () => awake(() => networks.unused()),
      all: () => awake(() => networks.all()),
      remove: (name) => networks.remove(name),
      severed: (containers) => awake(() => networks.severed(containers)),
      reconnect: (container) => networks.reconnect(container),
    },
  };
}

/** What the engine's containers are compared with. The site has checks of its own. */
async function recordedState(
  { inventory, claimStore }: Store,
  queue: Shared<QueueConnection>,
  config: Config,
  log: Log,
): Promise<Omit<DriftDeps, 'runtime' | 'networks'>> {
  return {
    inventory,
    claimStore,
    clock: systemClock,
    node: config.node,
    databases: await connectDatabases(config, 'command', log),
    proxy: undefined,
    queue: {
      provisions: async () => createPublisher({ connection: await queue.need(), log }).provisions(),
      leftovers: async () => createPublisher({ connection: await queue.need(), log }).leftovers(),
    },
  };
}

function checkpointPart({
  config,
  store,
  engine,
  answer,
  log,
  underWay,
}: Pick<CheckpointTargets, 'underWay'> & {
  readonly config: Config;
  readonly store: Shared<Store>;
  readonly engine: Engine;
  readonly answer: ReturnType<typeof engineAnswer>;
  readonly log: Log;
}): Check[] {
  const { checkpoints, templates } = config;
  return checkpointChecks({
    ...checkpoints,
    templates,
    checkpointRepository: openCheckpointRepository({ dir: checkpoints.dir, log }),
    promotions: new Shared(async () => (await store.need()).promotions, VALKEY_DOWN),
    offers: new Shared(async () => (await store.need()).checkpointOffers, VALKEY_DOWN),
    share: openCheckpointShare(config, log),
    underWay,
    checkpointing: new Shared(async () => {
      if (engine.runsContainers) await answer.get();
      return createCheckpointing(engine, config, log);
    }, ENGINE_DOWN),
  });
}

async function databasePart(config: Config, log: Log): Promise<Check[]> {
  const checks: Check[] = [];
  for (const engine of DATABASE_ENGINES) {
    const databases = await connectDatabase(engine, config, 'command', log);
    const server = config.databases[engine];
    if (databases !== undefined && server !== undefined) checks.push(...databaseChecks(engine, databases, server));
  }
  return checks;
}

/** None where the store cannot tell. */
async function pinnedImages(store: Shared<Store>, { templates }: Config): Promise<ReadonlyMap<string, ImagePin>> {
  try {
    return await (await store.need()).imagePins.of(templates.map(({ image }) => image));
  } catch {
    return new Map();
  }
}

/** The newest of each template that keeps failing; none where the store cannot tell. */
async function ongoingFailures(store: Shared<Store>, { templates }: Config): Promise<FailureReport[]> {
  try {
    const { breakers, failureLog } = await store.need();
    const failing = [...(await breakers.read(templates.map(({ name }) => name)))].filter(
      ([, { failures }]) => failures > 0,
    );
    const reports = await Promise.all(failing.map(async ([name]) => failureLog.recent(name)));
    return reports.flatMap(([newest]) => newest ?? []);
  } catch {
    return [];
  }
}

/** The pools, and those who are told what happens in them. */
function poolPart(
  store: Shared<Store>,
  queue: Shared<QueueConnection>,
  metrics: Shared<string | undefined>,
  config: Config,
): Check[] {
  const { webhooks } = config;
  const admin = async () => new JetStreamWebhookAdmin(await queue.need());
  const pools = poolChecks({
    // Of what has ended nothing is to be ready, though somebody may visit one.
    templates: config.templates.filter((template) => !hasEnded(template, systemClock.now())),
    state: new Shared(async () => poolState(await store.need(), config), VALKEY_DOWN),
    failures: async (name) => (await store.need()).failureLog.recent(name),
    unready: async (name) => (await store.need()).failureLog.unready(name),
    deaths: async (names) => deathsByTemplate(await queue.get(), names).catch(() => new Map()),
  });
  return [
    ...pools,
    ...imageChecks(
      config.templates.some(({ imageCheck }) => imageCheck !== undefined),
      new Shared(async () => imageState(await store.need(), config), VALKEY_DOWN),
    ),
    ...previewChecks(config.templates, new Shared(async () => previewState(await store.need(), config), VALKEY_DOWN)),
    shareCheck(config),
    harmCheck(config),
    gateCheck(config, () => metrics.get()),
    ...webhookChecks({ webhooks, store, admin }),
    ...traceChecks(config.tracing),
  ];
}

function folders(
  config: Config,
  engine: Engine,
  answer: Shared<EngineFacts>,
  valkeyDir: () => Promise<string | undefined>,
): Folder[] {
  const { checkpoints, containers, databases } = config;
  return [
    ...(!engine.runsContainers
      ? []
      : [
          {
            what: 'engine',
            path: async () => (await answer.need()).storage,
            remedy:
              `Remove images and containers nobody needs (\`${engine.imageTool.program} system prune\`), or ` +
              'move its storage to a larger disk.',
            reserveBytes: containers.diskReserveBytes,
          },
        ]),
    ...(checkpoints.mode === 'off'
      ? []
      : [
          {
            what: 'checkpoints',
            path: () => Promise.resolve(checkpoints.dir),
            remedy: 'Remove old checkpoints (`try-it-now checkpoint prune`), or set CHECKPOINT_DIR to a larger disk.',
          },
        ]),
    { what: 'Valkey', path: valkeyDir, remedy: 'Make room on that disk: Valkey refuses every change when it is full.' },
    ...DATABASE_ENGINES.flatMap((engine) => {
      const server = databases[engine];
      // What is elsewhere is not on a disk of this host.
      return server === undefined || server.shared !== undefined
        ? []
        : [
            {
              what: DATABASE_SERVERS[engine].title,
              path: () => Promise.resolve(dirname(server.socketPath)),
              remedy: 'Make room on that disk, or run `try-it-now reconcile` to drop databases without an instance.',
            },
          ];
    }),
  ];
}

/** Undefined on another host. */
async function valkeyFolder(
  { valkey: { host, sentinel } }: Config,
  client: { config(action: 'GET', name: string): Promise<unknown> },
): Promise<string | undefined> {
  if (sentinel !== undefined || !/^(127\.|localhost$|::1$)/.test(host)) return undefined;
  const reply = await client.config('GET', 'dir').catch(() => []);
  return (reply as string[])[1];
}
