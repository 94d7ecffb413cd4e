import { openTrialRepository } from '../checkpoints/repository.ts';
import { sharedFolder } from '../checkpoints/shared-folder.ts';
import type { Config } from '../config/config.ts';
import { steadyClock, systemClock } from '../domain/clock.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { CheckpointCarrier } from '../pool/carry-checkpoints.ts';
import type { CheckpointShare } from '../pool/interfaces/checkpoint-share.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { Observer } from '../pool/interfaces/observer.ts';
import type { Probe } from '../pool/interfaces/probe.ts';
import { checkpointStream } from '../queue/checkpoint-stream.ts';
import type { Store } from '../store/store.ts';
import { draftArchive } from './checkpoint-context.ts';
import type { RestoreParts } from './restoring.ts';

/** Undefined where nodes leave nothing for each other. */
export function openCheckpointShare({ checkpoints: { share }, nats }: Config, log: Log): CheckpointShare | undefined {
  switch (share) {
    case 'off':
      return undefined;
    case 'nats':
      return checkpointStream({ ...nats, log });
    default:
      return sharedFolder(share);
  }
}

/** Undefined where nothing is restored. */
export function createCheckpointCarrier(parts: {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly store: Pick<Store, 'promotions' | 'imageUpdates' | 'checkpointOffers' | 'registry' | 'processes' | 'turns'>;
  readonly runtime: ContainerRuntime;
  readonly restoring: RestoreParts;
  readonly probe: Probe;
  readonly observer: Observer;
  readonly log: Log;
}): CheckpointCarrier | undefined {
  const { config, catalogue, store, runtime, restoring, probe, observer, log } = parts;
  const { checkpointing, checkpointRepository, databases } = restoring;
  if (checkpointing === undefined) return undefined;
  const { node, checkpoints, proxy } = config;
  const { promotions } = store;
  return new CheckpointCarrier({
    catalogue,
    checkpointing,
    checkpointRepository,
    trial: {
      ...{ catalogue, runtime, checkpointing, promotions, databases, probe, node, log },
      checkpointRepository: openTrialRepository({ dir: checkpoints.dir, log }),
      address: proxy.address,
      freePort: () => freePort(node.address),
      draftArchive: () => draftArchive(checkpoints.dir),
    },
    promotions,
    updates: store.imageUpdates,
    offers: store.checkpointOffers,
    share: openCheckpointShare(config, log),
    registry: store.registry,
    processes: store.processes,
    turn: store.turns.of('checkpoint-share'),
    node,
    observer,
    clock: systemClock,
    steadyClock,
    log,
  });
}
