import { connectDatabases, createCheckpointing } from './engines.ts';
import { openCheckpointRepository } from '../checkpoints/repository.ts';
import type { Config } from '../config/config.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { ImagePin } from '../domain/image-pin.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import { NO_TRACER, type Tracer } from '../domain/tracer.ts';
import type { Releasers } from '../lifecycle/releasers.ts';
import type { CheckpointRepository } from '../pool/interfaces/checkpoint-repository.ts';
import type { Checkpointing } from '../pool/interfaces/checkpointing.ts';
import type { Databases } from '../pool/interfaces/databases.ts';
import type { Promotions } from '../pool/interfaces/promotions.ts';
import { Restorer } from '../pool/restore.ts';
import { RESTORING_TITLES, type Engine } from '../runtime/engines.ts';

export interface RestoreParts {
  readonly checkpointing: Checkpointing | undefined;
  readonly checkpointRepository: CheckpointRepository;
  readonly databases: Databases | undefined;
  /** Undefined: every instance is started cold. */
  readonly restorer: Restorer | undefined;
}

/** What makes an instance more than a started container, wired once for the server and for the operator's commands. */
export async function openRestoreParts(options: {
  readonly config: Config;
  readonly catalogue: Catalogue;
  readonly engine: Engine;
  readonly use: 'server' | 'command';
  readonly promotions: Promotions;
  /** What names of images stand for on all nodes. */
  readonly pinnedImages: ReadonlyMap<string, ImagePin>;
  readonly tracer?: Tracer;
  readonly log: Log;
  readonly releasers: Releasers;
}): Promise<RestoreParts> {
  const { config, catalogue, engine, use, promotions, pinnedImages, tracer = NO_TRACER, log, releasers } = options;
  const databases = await connectDatabases(config, use, log, catalogue);
  if (databases !== undefined) releasers.push('databases', () => databases.close());
  const checkpointing =
    config.checkpoints.mode === 'off' ? undefined : createCheckpointing(engine, config, log, { pinnedImages, tracer });
  if (checkpointing !== undefined) releasers.push('checkpointing', () => checkpointing.close());
  const checkpointRepository = openCheckpointRepository({ dir: config.checkpoints.dir, log });
  const restorer =
    checkpointing === undefined ? undefined : new Restorer({ checkpointing, checkpointRepository, promotions, log });
  return { checkpointing, checkpointRepository, databases, restorer };
}

/**
 * CRIU_ENABLED=true is for operators who would rather have no pool than a slow one. Throws checkpointing_unavailable.
 */
export async function requireRestores({ checkpoints }: Config, { checkpointing }: RestoreParts): Promise<void> {
  if (checkpoints.mode !== 'on') return;
  const availability =
    checkpointing === undefined
      ? { available: false as const, reason: `Only ${RESTORING_TITLES} can restore checkpoints here` }
      : await checkpointing.availability();
  if (!availability.available)
    throw new TryItNowError(
      'checkpointing_unavailable',
      `${availability.reason} (CRIU_ENABLED is true; CRIU_ENABLED=auto starts ` +
        'instances cold where they cannot be restored)',
    );
}
