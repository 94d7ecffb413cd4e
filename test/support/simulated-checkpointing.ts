import { writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import type { CheckpointHost } from '../../src/domain/checkpoint.ts';
import { TryItNowError } from '../../src/domain/errors.ts';
import type { Checkpointing, OpenCheckpoint } from '../../src/pool/interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { asPodmanExports, host } from './checkpoint-files.ts';

/**
 * Checkpoints of simulated containers, which are started anew instead of restored: for what is about archives and not
 * about what is in them.
 */
export class SimulatedCheckpointing implements Checkpointing {
  /** Ids of what was restored, in this order. */
  readonly restored: string[] = [];
  /** Of the host that this stands for. */
  kernel = host.kernel;
  imageId = host.imageId;
  /** Those that do not restore on it. */
  readonly broken = new Set<string>();
  readonly #runtime: ContainerRuntime;

  constructor(runtime: ContainerRuntime) {
    this.#runtime = runtime;
  }

  availability(): Promise<{ readonly available: true }> {
    return Promise.resolve({ available: true });
  }

  host(): Promise<CheckpointHost> {
    return Promise.resolve({ ...host, kernel: this.kernel, imageId: this.imageId });
  }

  untilIdle(): Promise<void> {
    return Promise.resolve();
  }

  examine(): Promise<void> {
    return Promise.resolve();
  }

  ownGenerators(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  whyNotFresh(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async dump(_name: string, archive: string): Promise<void> {
    await writeFile(archive, asPodmanExports(randomBytes(10_000)), { mode: 0o600, flag: 'wx' });
  }

  async restore(spec: ContainerSpec, { id }: OpenCheckpoint, signal: AbortSignal): Promise<void> {
    if (this.broken.has(id)) throw new TryItNowError('restore_failed', `CRIU cannot restore ${id} here`);
    await this.#runtime.start(spec, signal);
    this.restored.push(id);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
