import type { CheckpointHost } from '../../domain/checkpoint.ts';
import type { DumpOptions, Template } from '../../domain/template.ts';
import type { ContainerSpec } from './container-runtime.ts';

/** A checkpoint whose files were checked and lie ready for any number of restores. */
export interface OpenCheckpoint {
  readonly id: string;
  /** The unpacked archive. */
  readonly folder: string;
  readonly fileLocks: boolean;
}

export type CheckpointingAvailability =
  { readonly available: true } | { readonly available: false; readonly reason: string };

/** Of a language whose random generators are in the memory of its processes, and so the same in all clones. */
export interface OwnGenerators {
  readonly language: string;
  readonly generators: string;
  /** One that runs it. */
  readonly process: string;
}

/** An optional ability of an engine. */
export interface Checkpointing {
  /**
   * Dumps and restores a tiny container for real, once; later calls answer from that, a refusal for some minutes. What
   * takes longer than `withinMs` is given up, and all that was made for it is removed. The reason is for people.
   */
  availability(withinMs?: number): Promise<CheckpointingAvailability>;
  /** What a checkpoint of this template made here and now would fit to. Throws image_missing, engine_unavailable. */
  host(template: Template): Promise<CheckpointHost>;
  /** Waits until no TCP connection is open in the container: one could not be dumped. Throws checkpoint_failed. */
  untilIdle(name: string, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /**
   * Looks for what a dump with these options would fail on, or its clones, and can be seen before. Throws
   * checkpoint_refused with all of it and what to do about each.
   */
  examine(name: string, options: DumpOptions): Promise<void>;
  /** What runs in the container whose random numbers no restore makes fresh. */
  ownGenerators(name: string): Promise<readonly OwnGenerators[]>;
  /** Why restores on this host make no random numbers fresh at all, in words; undefined where they do. */
  whyNotFresh(): Promise<string | undefined>;
  /**
   * Writes the container's memory and files into `archive` (mode 0600) and leaves
   * the container stopped. Throws checkpoint_failed, host_failed.
   */
  dump(name: string, archive: string, options: DumpOptions): Promise<void>;
  /**
   * Instead of a start; anything that has the name already is replaced. Throws restore_failed with CRIU's own lines,
   * and host_failed for what says nothing against the checkpoint.
   */
  restore(spec: ContainerSpec, from: OpenCheckpoint, signal: AbortSignal): Promise<void>;
  /** Ends what it has started to restore containers. */
  close(): Promise<void>;
}
