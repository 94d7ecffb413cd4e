import Type, { type Static } from 'typebox';
import { CHECKPOINT_ID_PATTERN } from './ids.ts';

/** Raised when the metadata's shape changes; a file of another version is refused, never guessed at. */
export const CHECKPOINT_FORMAT = 1;

/** What a checkpoint only fits to: a restore anywhere else fails late, or worse, works in part. */
export const CheckpointHost = Type.Object({
  /** The engine's own id of the image: the root file system below the dumped memory. */
  imageId: Type.String(),
  /** `uname -r` and `uname -m` of the host. */
  kernel: Type.String(),
  arch: Type.String(),
  engine: Type.String(),
  engineVersion: Type.String(),
  criu: Type.String(),
});
export type CheckpointHost = Static<typeof CheckpointHost>;

/** The file beside a checkpoint's archive. */
export const CheckpointMetadata = Type.Object({
  format: Type.Literal(CHECKPOINT_FORMAT),
  id: Type.String({ pattern: CHECKPOINT_ID_PATTERN }),
  template: Type.String(),
  /**
   * Environment, limits and port are frozen in the dump, so another version of the template needs another checkpoint.
   */
  templateVersion: Type.String(),
  host: CheckpointHost,
  fileLocks: Type.Boolean(),
  sizeBytes: Type.Integer({ minimum: 1 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** ISO 8601, UTC. */
  createdAt: Type.String(),
});
export type CheckpointMetadata = Static<typeof CheckpointMetadata>;

/**
 * An idle instance is of the template and, where one is promoted, of the checkpoint:
 * promoting another makes it outdated.
 */
export function instanceVersion(templateVersion: string, checkpoint: string | undefined, image?: string): string {
  const of = checkpoint === undefined ? templateVersion : `${templateVersion}+${checkpoint}`;
  return image === undefined ? of : `${of}@${image}`;
}

/** The version of the template that an instance of this version is of. */
export function templateVersionOf(version: string): string {
  return version.replace(/[+@].*$/, '');
}

/** Images are each node's own, so another node's cannot be judged by what is here. */
export function versionWithoutImage(version: string): string {
  return version.replace(/@[^@]*$/, '');
}
