import type { CheckpointHost, CheckpointMetadata } from '../../domain/checkpoint.ts';
import type { OpenCheckpoint } from './checkpointing.ts';

/** The checkpoints on this node's disk. */
export interface CheckpointRepository {
  /** Newest first. A `problem` says why one cannot be read. */
  list(): Promise<readonly StoredCheckpoint[]>;
  /**
   * Moves the archive in and writes its metadata; the id comes from the content. `sha256`: of what it is to be. Throws
   * checkpoint_damaged where it is not, checkpoint_failed where it is none, host_failed where there is no room for it.
   */
  add(
    archive: string,
    about: Omit<CheckpointMetadata, 'format' | 'id' | 'sizeBytes' | 'sha256'>,
    sha256?: string,
  ): Promise<CheckpointMetadata>;
  /**
   * Copies an archive and the metadata beside it in, once; what that says of the node it was made on stays behind.
   * Throws checkpoint_damaged.
   */
  import(archive: string): Promise<CheckpointMetadata>;
  /** Throws unknown_checkpoint, checkpoint_damaged. */
  metadata(id: string): Promise<CheckpointMetadata>;
  /**
   * Checks checksum and fit, and unpacks; once per process and checkpoint, at once after that.
   * Throws unknown_checkpoint, checkpoint_damaged, checkpoint_unfit, host_failed.
   */
  open(
    id: string,
    fit: { readonly template: string; readonly templateVersion: string; readonly host: CheckpointHost },
  ): Promise<OpenCheckpoint>;
  /** Changes what is said of it on this node; undefined takes a mark off. An absent checkpoint is fine. */
  mark(id: string, marks: CheckpointMarks): Promise<void>;
  /** Absent is fine. */
  remove(id: string): Promise<void>;
  /** Removes what processes left in the midst of their work that are gone. */
  tidy(): Promise<void>;
}

export type CheckpointMarks = {
  readonly [Mark in 'keepUntil' | 'unusedSince' | 'settingsVersion']?: CheckpointMetadata[Mark] | undefined;
};

export interface StoredCheckpoint {
  readonly id: string;
  /** Among whose checkpoints it lies. */
  readonly template: string;
  readonly archive: string;
  /** Of an archive that lies there without its metadata: since when (ms since the epoch). */
  readonly loneSinceMs?: number;
  /** When its archive came here (ms since the epoch), whatever a copy says of when it was made. */
  readonly hereSinceMs?: number;
  readonly metadata: CheckpointMetadata | undefined;
  readonly problem: string | undefined;
}
