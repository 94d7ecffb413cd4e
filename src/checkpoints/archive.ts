import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Parser, type ReadEntry } from 'tar';

/** Small enough that hashing one piece does not hold up the claims that the same process answers. */
const PIECE_BYTES = 256 * 1024;

/**
 * Podman's export is made of these alone; a link or a device in an archive is somebody's attempt to
 * get out of the folder.
 */
const FILE_TYPES: ReadonlySet<string> = new Set(['File', 'OldFile', 'ContiguousFile']);

export interface ArchiveInspection {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Size of each file in it, by its path. */
  readonly files: ReadonlyMap<string, number>;
  /** Why it must not be unpacked. */
  readonly problem: string | undefined;
}

/**
 * Reads an archive once: its checksum, what is in it, and whether that may be unpacked. With `copyTo`, a file that must
 * not exist yet, it is copied there as it is read (0600, on disk when this returns).
 */
export async function inspectArchive(archive: string, copyTo?: string): Promise<ArchiveInspection> {
  const hash = createHash('sha256');
  const contents = new Contents();
  let sizeBytes = 0;
  const from = await open(archive, 'r');
  let to: FileHandle | undefined;
  try {
    to = copyTo === undefined ? undefined : await open(copyTo, 'wx', 0o600);
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await from.read(buffer, 0, PIECE_BYTES, null);
      if (bytesRead === 0) break;
      const piece = buffer.subarray(0, bytesRead);
      hash.update(piece);
      contents.take(piece);
      if (to !== undefined) await writeWhole(to, piece);
      sizeBytes += bytesRead;
    }
    await to?.sync();
  } finally {
    await from.close();
    await to?.close();
  }
  return { sha256: hash.digest('hex'), sizeBytes, ...contents.end() };
}

async function writeWhole(to: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length;) at += (await to.write(piece, at)).bytesWritten;
}

/** Plain or gzip, whichever it is: the parser finds out. Nothing is kept of it but names and sizes. */
class Contents {
  readonly #files = new Map<string, number>();
  #problem: string | undefined;
  readonly #parser = new Parser({ strict: true, filter: () => false });

  constructor() {
    // Filtered out, all entries end up here, those of unknown types too.
    this.#parser.on('ignoredEntry', (entry: ReadEntry) => this.#look(entry));
    this.#parser.on('error', (error: Error) => this.#fail(`it is no sound tar archive (${error.message})`));
  }

  take(piece: Uint8Array): void {
    if (this.#problem !== undefined) return;
    try {
      // The parser may keep what it is given, and the caller reads the next piece into the same memory.
      this.#parser.write(Buffer.from(piece));
    } catch (error) {
      this.#fail(`it is no sound tar archive (${error instanceof Error ? error.message : 'unreadable'})`);
    }
  }

  end(): Pick<ArchiveInspection, 'files' | 'problem'> {
    if (this.#problem === undefined) this.#parser.end();
    if (this.#problem === undefined && this.#files.size === 0) this.#fail('there are no files in it');
    return { files: this.#files, problem: this.#problem };
  }

  #look({ type, path, size }: ReadEntry): void {
    if (path.startsWith('/') || path.split('/').includes('..'))
      this.#fail(`its entry ${JSON.stringify(path)} leads out of the folder`);
    else if (FILE_TYPES.has(type)) this.#files.set(path, size);
    else if (type !== 'Directory')
      this.#fail(`its entry ${JSON.stringify(path)} is neither a file nor a folder (${type})`);
  }

  #fail(problem: string): void {
    this.#problem ??= problem;
  }
}
