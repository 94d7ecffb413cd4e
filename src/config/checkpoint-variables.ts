import { RESTORING_TITLES } from '../runtime/engines.ts';
import { checkpointMode, path } from './parsers.ts';
import { absolutePath, checkpointShare } from './paths.ts';
import { group } from './variable.ts';

const checkpoints = group('Checkpoints');

/** Whether instances are restored, and where what they are restored from lies. */
export const CHECKPOINT_VARIABLES = {
  CRIU_ENABLED: checkpoints.required(
    checkpointMode,
    'auto',
    `Whether instances are restored from checkpoints, which only ${RESTORING_TITLES} can. auto: where a ` +
      'trial at the start passes. true: nothing is started where it does not. false: every instance starts ' +
      'cold. See [checkpoints](../criu-checkpoint.md).',
  ),
  CHECKPOINT_DIR: checkpoints.required(
    absolutePath('/var/lib/try-it-now/checkpoints'),
    '/var/lib/try-it-now/checkpoints',
    'Where checkpoints are kept. They hold the memory of processes: nobody but the server may read the ' +
      'folder. Each takes up to twice its size, once as archive and once unpacked. Under systemd, another folder ' +
      'needs `ReadWritePaths=` in a drop-in; see [deployment](../deployment.md#on-one-host-with-systemd).',
  ),
  CHECKPOINT_SHARE: checkpoints.required(
    checkpointShare,
    'nats',
    'Where nodes leave promoted checkpoints for those that lack them: `nats`, or a folder that all hosts have ' +
      'mounted, of the same owner as CHECKPOINT_DIR and closed to others. `off`: they are copied by hand. One node ' +
      'alone leaves nothing. Under systemd, the folder needs `ReadWritePaths=` as CHECKPOINT_DIR does. ' +
      'See [a fleet](../fleet.md#checkpoints-on-every-node).',
  ),
  CHECKPOINT_PATH: checkpoints.optional(
    path,
    'none',
    'The archive of a checkpoint to restore the default template from, with its metadata beside it. It is ' +
      'promoted at the start, once: a newer promotion holds until another file is named here. A template that ' +
      'names a `checkpoint.file` of its own goes by that.',
  ),
} as const;
