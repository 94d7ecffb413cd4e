import { connectDatabases, createCheckpointing, type Engine } from './adapters.ts';
import { openShelf } from './checkpoints/shelf.ts';
import type { Config } from './config/config.ts';
import type { Log } from './domain/log.ts';
import type { Releasers } from './lifecycle/releasers.ts';
import type { Checkpointing, CheckpointShelf, Databases, Promotions } from './pool/ports.ts';
import { Restorer } from './pool/restore.ts';

export interface RestoreParts {
  readonly checkpointing: Checkpointing | undefined;
  readonly shelf: CheckpointShelf;
  readonly databases: Databases | undefined;
  /** Undefined: every instance is started cold. */
  readonly restorer: Restorer | undefined;
}

/** What makes an instance more than a started container, wired once for the server and for the operator's commands. */
export function openRestoreParts(options: {
  readonly config: Config;
  readonly engine: Engine;
  readonly use: 'server' | 'command';
  readonly promotions: Promotions;
  readonly log: Log;
  readonly releasers: Releasers;
}): RestoreParts {
  const { config, engine, use, promotions, log, releasers } = options;
  const databases = connectDatabases(config, use, log);
  if (databases !== undefined) releasers.push('databases', () => databases.close());
  const checkpointing = config.checkpoints.mode === 'off' ? undefined : createCheckpointing(engine, config, log);
  const shelf = openShelf({ dir: config.checkpoints.dir, log });
  const restorer = checkpointing === undefined ? undefined : new Restorer({ checkpointing, shelf, promotions, log });
  return { checkpointing, shelf, databases, restorer };
}
