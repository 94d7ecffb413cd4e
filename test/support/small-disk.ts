import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Why none can be had here; empty where it can. */
export const whyNoSmallDisk = process.getuid?.() === 0 ? '' : 'mounting a tmpfs needs root';

/** A disk of its own at `path`, which somebody else can fill. */
export class SmallDisk implements AsyncDisposable {
  readonly #path: string;
  readonly #foreign: string;
  #mounted = true;

  private constructor(path: string) {
    this.#path = path;
    this.#foreign = join(path, 'foreign');
  }

  /** `most` has further options, with a comma before each. */
  static async mount(path: string, sizeMib: number, most = ''): Promise<SmallDisk> {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m${most}`, 'tmpfs', path]);
    return new SmallDisk(path);
  }

  async fill(): Promise<void> {
    await using file = await open(this.#foreign, 'a');
    const piece = Buffer.alloc(4_096, 1);
    try {
      for (;;) await file.write(piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  async free(): Promise<void> {
    await rm(this.#foreign);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#mounted) return;
    this.#mounted = false;
    await run('umount', ['--lazy', this.#path]);
  }
}
