import { openCheckpointContext, type CheckpointContext } from '../../composition/checkpoint-context.ts';
import type { Config } from '../../config/config.ts';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { createPromoted } from '../../pool/checkpoints.ts';
import type { Screen } from './screen.ts';

/**
 * Has every template restored from a checkpoint of its own from now on. What cannot be is said, and
 * goes on being started cold.
 */
export async function checkpointTemplates(
  config: Config,
  log: Log,
  screen: Screen,
  stopped: AbortSignal,
): Promise<void> {
  try {
    const context = await openCheckpointContext(config, log);
    try {
      for (const { name, checkpoint } of config.templates)
        if (checkpoint.enabled) await checkpointTemplate(context, name, log, screen, stopped);
    } finally {
      await context.close();
    }
  } catch (error) {
    if (stopped.aborted) return;
    log.warn({ reason: describeError(error) }, 'No checkpoint could be made; instances are started cold');
    screen.warn(`Instances are started cold: ${describeError(error)}`);
  }
}

/** One that fails keeps none of the others from theirs. */
async function checkpointTemplate(
  context: CheckpointContext,
  template: string,
  log: Log,
  screen: Screen,
  stopped: AbortSignal,
): Promise<void> {
  const what = `Checkpoint of ${template}`;
  const onStep = (step: string): void => {
    screen.progress(`${what}: ${step}`);
  };
  screen.start(what);
  try {
    const { restoreMs } = await createPromoted(context, template, onStep, stopped);
    screen.succeed(
      `${what}: two clones came up in ${restoreMs.map((ms) => (ms / 1_000).toFixed(2)).join(' and ')} s; the ` +
        'pool is being replaced by restored instances',
    );
  } catch (error) {
    if (stopped.aborted) throw error;
    log.warn({ template, reason: describeError(error) }, 'No checkpoint could be made; instances are started cold');
    screen.warn(`Instances of ${template} are started cold: ${describeError(error)}`);
  }
}
