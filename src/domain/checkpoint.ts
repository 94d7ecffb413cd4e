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
  /**
   * `settingsVersion` of the template: where it is equal and the template's version is not, the program alone has
   * changed. Checkpoints of programs before this have none, until one that makes their version notes it.
   */
  settingsVersion: Type.Optional(Type.String()),
  host: CheckpointHost,
  fileLocks: Type.Boolean(),
  sizeBytes: Type.Integer({ minimum: 1 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** ISO 8601, UTC. */
  createdAt: Type.String(),
  /** Another node made it; it goes by itself once no node restores it any more. */
  fetched: Type.Optional(Type.Literal(true)),
  /** The promoted checkpoint that does not work on this node, so that this one, made here, takes its place. */
  standsFor: Type.Optional(Type.String({ pattern: CHECKPOINT_ID_PATTERN })),
  /**
   * ISO 8601, UTC. It was made to be promoted at once: one that is not by then was left by a kill, and goes. Whatever
   * was promoted has it no more.
   */
  keepUntil: Type.Optional(Type.String()),
  /** ISO 8601, UTC. Of what came by itself: since when this node knows nothing that leads to it. */
  unusedSince: Type.Optional(Type.String()),
  /** The name of the image whose trial made it. */
  forImage: Type.Optional(Type.String()),
});
export type CheckpointMetadata = Static<typeof CheckpointMetadata>;

/** Without what the repository adds itself, and what is said of it on one node alone. */
export function aboutOf(
  metadata: CheckpointMetadata,
): Pick<CheckpointMetadata, 'template' | 'templateVersion' | 'settingsVersion' | 'host' | 'fileLocks' | 'createdAt'> {
  const { template, templateVersion, settingsVersion, host, fileLocks, createdAt } = metadata;
  const about = { template, templateVersion, host, fileLocks, createdAt };
  return settingsVersion === undefined ? about : { ...about, settingsVersion };
}

/** Raised when an offer's shape changes; one of another version is skipped. */
export const CHECKPOINT_OFFER_VERSION = 1;

/** What a node says of a checkpoint whose archive it left for the others: whoever fetches it goes by this. */
export const CheckpointOffer = Type.Object({
  v: Type.Literal(CHECKPOINT_OFFER_VERSION),
  node: Type.String(),
  metadata: CheckpointMetadata,
});
export type CheckpointOffer = Static<typeof CheckpointOffer>;

/**
 * How far a node is with the promoted checkpoint of a template. `here`: it restores it; `own`: it restores one that it
 * made in its place; `waiting`: nobody has left it for others so far, or none has it; `refused`: it starts the
 * template cold.
 */
export const CHECKPOINT_ARRIVALS = ['here', 'own', 'waiting', 'fetching', 'trying', 'making', 'refused'] as const;

export const CheckpointArrival = Type.Object({
  checkpoint: Type.String({ maxLength: 100 }),
  state: Type.Enum([...CHECKPOINT_ARRIVALS]),
  /** For people: how far it is, or why not. */
  detail: Type.String({ maxLength: 300 }),
});
export type CheckpointArrival = Static<typeof CheckpointArrival>;

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
