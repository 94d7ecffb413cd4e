import { mkdir } from 'node:fs/promises';
import { Infrastructure } from './infrastructure.ts';
import { draftArchiveIn } from '../checkpoints/folders.ts';
import type { Config } from '../config/config.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { Catalogue } from '../domain/template.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { CheckpointDeps } from '../pool/checkpoint-command.ts';
import type { ImageUpdates } from '../pool/interfaces/image-updates.ts';
import { openRestoreParts } from './restoring.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';

export interface CheckpointContext extends CheckpointDeps {
  readonly updates: Pick<ImageUpdates, 'read'>;
  readonly close: () => Promise<void>;
}

/** A path for an archive in progress, in the file system of the repository in `dir`. */
export async function draftArchive(dir: string): Promise<string> {
  const { folder, path } = draftArchiveIn(dir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return path;
}

/**
 * What the commands over checkpoints work with, on this node, beside whatever server runs. Throws what a part that does
 * not answer throws.
 */
export async function openCheckpointContext(config: Config, log: Log): Promise<CheckpointContext> {
  const releasers = new Releasers();
  try {
    const { checkpoints, node } = config;
    const infrastructure = new Infrastructure({ config, log, releasers });
    const store = await infrastructure.openStore();
    const catalogue = new Catalogue(config.templates);
    const pinnedImages = await store.imagePins.of(catalogue.all().map(({ image }) => image));
    const { engine, runtime } = await infrastructure.openEngine({
      toDo: 'make or try checkpoints with',
      extras: { pinnedImages, decidesImages: false },
    });
    const { checkpointing, checkpointRepository, databases } = await openRestoreParts({
      catalogue,
      config,
      engine,
      use: 'command',
      promotions: store.promotions,
      pinnedImages,
      log,
      releasers,
    });
    if (checkpoints.mode === 'off')
      throw new TryItNowError(
        'checkpointing_unavailable',
        'CRIU_ENABLED is false; set it to auto or true to work with checkpoints',
      );
    return {
      catalogue,
      runtime,
      checkpointing,
      checkpointRepository,
      databases,
      promotions: store.promotions,
      updates: store.imageUpdates,
      probe: new HttpProbe(),
      node,
      address: config.proxy.address,
      log,
      freePort: () => freePort(node.address),
      draftArchive: () => draftArchive(checkpoints.dir),
      close: () => releasers.releaseAll(log),
    };
  } catch (error) {
    await releasers.releaseAll(log);
    throw error;
  }
}
