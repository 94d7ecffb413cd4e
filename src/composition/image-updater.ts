import type { Config } from '../config/config.ts';
import { steadyClock, systemClock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import type { ImageAgreement } from '../pool/agree-on-images.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { Observer } from '../pool/interfaces/observer.ts';
import type { Probe } from '../pool/interfaces/probe.ts';
import { ImageUpdater } from '../pool/update-images.ts';
import type { Store } from '../store/store.ts';
import { draftArchive } from './checkpoint-context.ts';
import type { RestoreParts } from './restoring.ts';

/** What tries new images on this host. */
export function createImageUpdater(parts: {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly store: Pick<Store, 'promotions' | 'imagePins' | 'imageUpdates' | 'registry' | 'turns'>;
  readonly runtime: ContainerRuntime;
  readonly restoring: RestoreParts;
  readonly images: Pick<ImageAgreement, 'decides'>;
  readonly requestReconcile: () => void;
  readonly probe: Probe;
  readonly observer: Pick<Observer, 'imageTried'>;
  readonly log: Log;
}): ImageUpdater {
  const { config, catalogue, store, runtime, restoring, images, probe, observer, log } = parts;
  const { node, checkpoints, proxy } = config;
  const { checkpointing, checkpointRepository, databases } = restoring;
  return new ImageUpdater({
    catalogue,
    pins: store.imagePins,
    updates: store.imageUpdates,
    turnOf: (task) => store.turns.of(task),
    decides: () => images.decides(),
    trial: {
      ...{ runtime, checkpointing, checkpointRepository, databases, probe, node, log },
      promotions: store.promotions,
      address: proxy.address,
      freePort: () => freePort(node.address),
      draftArchive: () => draftArchive(checkpoints.dir),
    },
    registry: store.registry,
    node,
    requestReconcile: parts.requestReconcile,
    observer,
    clock: systemClock,
    steadyClock,
    log,
  });
}
