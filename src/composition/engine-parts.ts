import type { Logger } from 'pino';
import { createConsumption, prepareRuntime } from './engines.ts';
import type { Infrastructure, OpenEngine } from './infrastructure.ts';
import { openRestoreParts, type RestoreParts } from './restoring.ts';
import type { Config } from '../config/config.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { ImagePin } from '../domain/image-pin.ts';
import { NO_NODE } from '../domain/node.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Tracer } from '../domain/tracer.ts';
import type { Trigger } from '../lifecycle/trigger.ts';
import { missingRights } from '../lifecycle/own-rights.ts';
import type { Releasers } from '../lifecycle/releasers.ts';
import { ImageAgreement } from '../pool/agree-on-images.ts';
import type { Consumption } from '../pool/interfaces/consumption.ts';
import { StorageReserve } from '../pool/storage-reserve.ts';
import type { Engine } from '../runtime/engines.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';

type HostEngine = OpenEngine & {
  readonly consumption: Consumption | undefined;
  readonly storageReserve: StorageReserve;
  readonly images: ImageAgreement;
  readonly restoring: RestoreParts;
  /** Rights that this process would need for its instances, and does not have. */
  readonly lacks: readonly string[];
};

/** The engine of this host, which goes by what images are on all nodes. */
export async function openEngine({
  config,
  log,
  role,
  engine: chosen,
  infrastructure,
  catalogue,
  store,
  metrics,
  tracer,
  triggers,
  releasers,
}: {
  readonly config: Config;
  readonly log: Logger;
  readonly role: 'server' | 'worker';
  /** Undefined: as the configuration says. */
  readonly engine?: Engine | undefined;
  readonly infrastructure: Infrastructure;
  readonly catalogue: Catalogue;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly triggers: { readonly reconcile: Trigger };
  readonly releasers: Releasers;
}): Promise<HostEngine> {
  const pinned = new Map<string, ImagePin>();
  const decides = role === 'server';
  const { engine, runtime } = await infrastructure.openEngine({
    engine: chosen,
    isWorker: role === 'worker',
    require: (candidate) => requireEngineOfInstances(candidate, config, store),
    extras: {
      onLookup: (template, outcome) => metrics.lookedUp(template, outcome),
      onFetched: (status) => metrics.imageFetched(status),
      hasRoom: () => !storageReserve.low,
      pulls: store.pulledImages,
      onImageMissing: () => triggers.reconcile.fire(),
      pinnedImages: pinned,
      decidesImages: decides,
      tracer,
    },
  });
  const consumption = createConsumption(engine, config, log);
  const storageReserve = createStorageReserve(config, consumption, metrics, log);
  await storageReserve.look();
  const images = new ImageAgreement({
    ...{ catalogue, runtime, pinned, log },
    pins: store.imagePins,
    decides: async () => decides || (await noServerHasImages(store)),
  });
  await prepareRuntime({ prepare: (templates) => images.settle().then(() => runtime.prepare(templates)) }, config, log);
  const restoring = await openRestoreParts({
    ...{ config, catalogue, engine, log, tracer, releasers, pinnedImages: pinned },
    promotions: store.promotions,
    use: 'server',
  });
  return { engine, runtime, consumption, storageReserve, images, restoring, lacks: lackingRights(engine, log) };
}

/** Says so: what is bounded in part only looks as if it were bounded. */
function lackingRights({ runsContainers }: Engine, log: Logger): readonly string[] {
  const lacks = runsContainers ? missingRights() : [];
  if (lacks.length > 0)
    log.warn(
      { rights: lacks },
      'This process lacks rights that the units shipped with it leave: what instances write and compute is bounded ' +
        'in part only, and some checkpoints cannot be restored',
    );
  return lacks;
}

/** Then what a name stands for is decided as it is among servers, by the workers. */
async function noServerHasImages({ processes }: Pick<Store, 'processes'>): Promise<boolean> {
  const servers = (await processes.everyone())?.filter(({ role }) => role === 'server') ?? [];
  return servers.length > 0 && servers.every(({ node }) => node === NO_NODE);
}

/**
 * CONTAINER_MODE=auto picks what answers. With Podman unavailable at this very start that would be another engine, to
 * which all that visitors have looks lost. Throws engine_unavailable.
 */
async function requireEngineOfInstances(
  { name: engine }: Engine,
  { containers, node }: Config,
  { registry, inventory }: Store,
): Promise<void> {
  if (containers.mode !== 'auto') return;
  const before = await registry.engine();
  if (before === undefined || before === engine) return;
  const count = (await inventory.list()).filter((instance) => instance.node === node.name).length;
  if (count === 0) return;
  throw new TryItNowError(
    'engine_unavailable',
    `The ${count} instances of node ${node.name} run on ${before}, which does not answer; start it again, or ` +
      `set CONTAINER_MODE=${engine} to discard them and continue with ${engine}`,
  );
}

function createStorageReserve(
  { containers: { diskReserveBytes: reserveBytes } }: Config,
  consumption: Consumption | undefined,
  metrics: Metrics,
  log: Logger,
): StorageReserve {
  return new StorageReserve({ consumption, reserveBytes, observer: metrics, log });
}
