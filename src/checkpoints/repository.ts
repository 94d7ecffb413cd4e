import { chmod, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKPOINT_FORMAT, aboutOf, type CheckpointMetadata } from '../domain/checkpoint.ts';
import { requireFit, type Fit } from '../domain/checkpoint-fit.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { hostTrouble } from '../domain/host-trouble.ts';
import { isCheckpointId } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import { closedByUnit } from '../lifecycle/closed-by-unit.ts';
import type {
  CheckpointMarks,
  CheckpointRepository,
  StoredCheckpoint,
} from '../pool/interfaces/checkpoint-repository.ts';
import type { OpenCheckpoint } from '../pool/interfaces/checkpointing.ts';
import { inspectArchive, type ArchiveInspection } from './archive.ts';
import { Folders, TRIAL } from './folders.ts';
import { metadataBeside, readMetadata, writeMetadata } from './metadata-file.ts';
import { hasCode, isWhole, syncOne, unpack } from './unpack.ts';

const ID_DIGITS = 16;

/**
 * Checkpoints in a folder of their own, `<template>/<id>.tar` and `.json`, unpacked in `.unpacked/<id>`. Any number of
 * processes may work on the same folder. All methods throw invalid_config when the folder cannot be used.
 */
export function openCheckpointRepository(options: { readonly dir: string; readonly log: Log }): CheckpointRepository {
  return new DiskCheckpointRepository(new Folders(options.dir, options.log));
}

/** One beside it, on the same disk, for what does not count yet. */
export function openTrialRepository({ dir, log }: { readonly dir: string; readonly log: Log }): CheckpointRepository {
  return new DiskCheckpointRepository(new Folders(join(dir, TRIAL), log));
}

class DiskCheckpointRepository implements CheckpointRepository {
  readonly #folders: Folders;
  /**
   * Archives that this process has read through and found sound, by id. A failure is not kept:
   * the files may be repaired.
   */
  readonly #sound = new Map<string, Promise<ArchiveInspection>>();
  readonly #unpacked = new Map<string, Promise<ArchiveInspection>>();

  constructor(folders: Folders) {
    this.#folders = folders;
  }

  async list(): Promise<readonly StoredCheckpoint[]> {
    await this.#folders.ready();
    const found: { readonly entry: StoredCheckpoint; readonly madeAtMs: number }[] = [];
    for (const template of await this.#folders.templates()) {
      for (const id of await this.#folders.ids(template)) found.push(await this.#look(template, id));
    }
    return found.sort((a, b) => b.madeAtMs - a.madeAtMs).map(({ entry }) => entry);
  }

  async add(
    archive: string,
    about: Omit<CheckpointMetadata, 'format' | 'id' | 'sizeBytes' | 'sha256'>,
    expected?: string,
  ): Promise<CheckpointMetadata> {
    await this.#folders.ready();
    const draft = this.#folders.draft();
    try {
      const { elsewhere, read } = await takeOver(archive, draft);
      const { sha256, sizeBytes, problem } = read;
      // First: what came damaged is no sound archive as a rule.
      if (expected !== undefined && sha256 !== expected)
        throw new TryItNowError(
          'checkpoint_damaged',
          `What came for checkpoint ${expected.slice(0, ID_DIGITS)} has the SHA-256 ${sha256}, and ${expected} was ` +
            'offered',
        );
      if (problem !== undefined)
        throw new TryItNowError(
          'checkpoint_failed',
          `The archive ${archive} that was dumped cannot be used: ${problem}; create the checkpoint again`,
        );
      const id = sha256.slice(0, ID_DIGITS);
      const metadata: CheckpointMetadata = { format: CHECKPOINT_FORMAT, id, ...about, sizeBytes, sha256 };
      await this.#place(draft, metadata, read);
      if (elsewhere) await rm(archive, { force: true });
      return metadata;
    } catch (error) {
      throw ioTrouble(
        error,
        `The checkpoint of template ${about.template} could not be stored in ${this.#folders.root}`,
        this.#folders.root,
      );
    } finally {
      await rm(draft, { force: true });
    }
  }

  async import(archive: string): Promise<CheckpointMetadata> {
    const metadata = withoutMarks(await readMetadata(metadataBeside(archive)));
    await this.#folders.ready();
    const there = await this.#find(metadata.id);
    if (there !== undefined && there !== metadata.template)
      throw new TryItNowError(
        'checkpoint_damaged',
        `${archive} is said to be of template ${metadata.template}, but the same archive is here already as ` +
          `checkpoint ${metadata.id} of template ${there}; copy both files again from where they were made`,
      );
    const already = await this.#alreadyThere(metadata.id);
    const draft = this.#folders.draft();
    try {
      // What is in the checkpoint repository would do, but an operator who put other files there should hear that they
      // are not what they say.
      const read = await inspectArchive(archive, already === undefined ? draft : undefined);
      requireSound(archive, read, metadata);
      if (already !== undefined) return already;
      await this.#place(draft, metadata, read);
      return metadata;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'EACCES', 'EISDIR'))
        throw new TryItNowError(
          'checkpoint_damaged',
          `The archive ${archive} is missing, or cannot be read; copy it from where the checkpoint was made`,
          { cause: error },
        );
      throw ioTrouble(
        error,
        `The checkpoint ${archive} could not be copied into ${this.#folders.root}`,
        this.#folders.root,
      );
    } finally {
      await rm(draft, { force: true });
    }
  }

  async metadata(id: string): Promise<CheckpointMetadata> {
    await this.#folders.ready();
    const template = await this.#find(id);
    if (template === undefined)
      throw new TryItNowError(
        'unknown_checkpoint',
        `There is no checkpoint ${JSON.stringify(id)} on this node, in ${this.#folders.root}; create or copy it here`,
      );
    return this.#read(template, id);
  }

  async open(id: string, fit: Fit): Promise<OpenCheckpoint> {
    const metadata = await this.metadata(id);
    requireFit(metadata, fit);
    const opened = { id, folder: this.#folders.unpacked(id), fileLocks: metadata.fileLocks };
    const { files } = await this.#unpack(metadata);
    if (await isWhole(opened.folder, files)) return opened;
    // Another process has removed the checkpoint, and somebody put it back; or somebody tidied up.
    this.#forget(id);
    await this.#unpack(metadata);
    return opened;
  }

  async mark(id: string, marks: CheckpointMarks): Promise<void> {
    await this.#folders.ready();
    const template = await this.#find(id);
    if (template === undefined) return;
    const [file, draft] = [this.#folders.metadata(template, id), this.#folders.draft()];
    try {
      await writeMetadata(draft, marked(await this.#read(template, id), marks));
      await rename(draft, file);
    } finally {
      await rm(draft, { force: true });
    }
    // Removed meanwhile by another process: nothing of it is to come back.
    if (await isAbsent(this.#folders.archive(template, id))) await rm(file, { force: true });
    else await syncOne(join(this.#folders.root, template));
  }

  async remove(id: string): Promise<void> {
    if (!isCheckpointId(id))
      throw new TryItNowError('unknown_checkpoint', `${JSON.stringify(id)} is no id of a checkpoint`);
    await this.#folders.ready();
    this.#forget(id);
    // The metadata first: from then on nobody opens it.
    for (const template of await this.#folders.templates()) {
      await rm(this.#folders.metadata(template, id), { force: true });
      await rm(this.#folders.archive(template, id), { force: true });
      // Another process that marked it just then has put it back.
      await rm(this.#folders.metadata(template, id), { force: true });
    }
    await rm(this.#folders.unpacked(id), { recursive: true, force: true });
  }

  tidy(): Promise<void> {
    return this.#folders.tidy();
  }

  /** The template under which there is anything of this checkpoint. */
  async #find(id: string): Promise<string | undefined> {
    if (!isCheckpointId(id)) return undefined;
    for (const template of await this.#folders.templates()) {
      for (const path of [this.#folders.metadata(template, id), this.#folders.archive(template, id)]) {
        if (await stat(path).catch(() => undefined)) return template;
      }
    }
    return undefined;
  }

  async #read(template: string, id: string): Promise<CheckpointMetadata> {
    const file = this.#folders.metadata(template, id);
    const metadata = await readMetadata(file);
    if (metadata.id !== id)
      throw new TryItNowError(
        'checkpoint_damaged',
        `The metadata file ${file} is of another checkpoint, ${metadata.id}; copy both files of ${id} again from ` +
          'where they were made',
      );
    if (metadata.template !== template)
      throw new TryItNowError(
        'checkpoint_damaged',
        `The metadata file ${file} is of template ${metadata.template}, but is among those of ${template}; move ` +
          `both files of ${id} into ${join(this.#folders.root, metadata.template)}`,
      );
    return metadata;
  }

  async #look(template: string, id: string): Promise<{ readonly entry: StoredCheckpoint; readonly madeAtMs: number }> {
    const archive = this.#folders.archive(template, id);
    const file = await stat(archive).catch(() => undefined);
    try {
      const metadata = await this.#read(template, id);
      const problem = file?.size === metadata.sizeBytes ? undefined : describeSize(archive, file?.size, metadata);
      const here = file === undefined ? {} : { hereSinceMs: file.ctimeMs };
      const entry = { id, template, archive, metadata, problem, ...here };
      return { entry, madeAtMs: Date.parse(metadata.createdAt) };
    } catch (error) {
      const isLone = file !== undefined && (await isAbsent(this.#folders.metadata(template, id)));
      const lone = isLone ? { loneSinceMs: file.ctimeMs } : {};
      return {
        entry: { id, template, archive, metadata: undefined, problem: describeError(error), ...lone },
        madeAtMs: file?.mtimeMs ?? 0,
      };
    }
  }

  /** Undefined when it is not, or not sound: then a copy repairs it. */
  async #alreadyThere(id: string): Promise<CheckpointMetadata | undefined> {
    try {
      const metadata = await this.metadata(id);
      await this.#requireSoundHere(metadata);
      return metadata;
    } catch {
      return undefined;
    }
  }

  /**
   * The metadata is written before and appears after the archive: a crash leaves an archive that nobody opens, and that
   * goes by itself.
   */
  async #place(draft: string, metadata: CheckpointMetadata, read: ArchiveInspection): Promise<void> {
    const { id, template } = metadata;
    const metadataDraft = this.#folders.draft();
    await this.#folders.makeTemplateFolder(template);
    try {
      await writeMetadata(metadataDraft, metadata);
      await rename(draft, this.#folders.archive(template, id));
      await rename(metadataDraft, this.#folders.metadata(template, id));
    } finally {
      await rm(metadataDraft, { force: true });
    }
    await syncOne(join(this.#folders.root, template));
    this.#forget(id);
    this.#sound.set(id, Promise.resolve(read));
  }

  #forget(id: string): void {
    this.#sound.delete(id);
    this.#unpacked.delete(id);
  }

  #requireSoundHere(metadata: CheckpointMetadata): Promise<ArchiveInspection> {
    const archive = this.#folders.archive(metadata.template, metadata.id);
    return once(this.#sound, metadata.id, async () => {
      // A size is compared at once, a checksum takes a second for each few hundred MB.
      const file = await stat(archive).catch(() => undefined);
      if (file?.size !== metadata.sizeBytes)
        throw new TryItNowError('checkpoint_damaged', describeSize(archive, file?.size, metadata));
      if ((file.mode & 0o077) !== 0) await chmod(archive, 0o600);
      const read = await inspectArchive(archive);
      requireSound(archive, read, metadata);
      return read;
    });
  }

  #unpack(metadata: CheckpointMetadata): Promise<ArchiveInspection> {
    const { id, template } = metadata;
    const target = this.#folders.unpacked(id);
    return once(this.#unpacked, id, async () => {
      try {
        const read = await this.#requireSoundHere(metadata);
        if (!(await isWhole(target, read.files))) {
          await unpack(this.#folders.archive(template, id), read.files, {
            target,
            draft: this.#folders.unpackedDraft(),
            aside: this.#folders.unpackedDraft(),
          });
        }
        return read;
      } catch (error) {
        throw ioTrouble(error, `Checkpoint ${id} could not be unpacked into ${target}`, this.#folders.root);
      }
    });
  }
}

/** Callers at the same time share one attempt; the next one after a failure tries again. */
function once<T>(kept: Map<string, Promise<T>>, id: string, make: () => Promise<T>): Promise<T> {
  const earlier = kept.get(id);
  if (earlier !== undefined) return earlier;
  const made = make().catch((error: unknown) => {
    if (kept.get(id) === made) kept.delete(id);
    throw error;
  });
  kept.set(id, made);
  return made;
}

/** Into the repository's file system and onto the disk. `elsewhere`: it was copied, and the original is still there. */
async function takeOver(
  archive: string,
  draft: string,
): Promise<{ readonly elsewhere: boolean; readonly read: ArchiveInspection }> {
  try {
    await rename(archive, draft);
  } catch (error) {
    if (!hasCode(error, 'EXDEV')) throw error;
    return { elsewhere: true, read: await inspectArchive(archive, draft) };
  }
  await chmod(draft, 0o600);
  const read = await inspectArchive(draft);
  await syncOne(draft);
  return { elsewhere: false, read };
}

function isAbsent(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: unknown) => hasCode(error, 'ENOENT'),
  );
}

const DAMAGED_REMEDY = 'copy both files again from where they were made, or create the checkpoint again';

function requireSound(
  archive: string,
  { sha256, sizeBytes, problem }: ArchiveInspection,
  metadata: CheckpointMetadata,
): void {
  if (sizeBytes !== metadata.sizeBytes)
    throw new TryItNowError('checkpoint_damaged', describeSize(archive, sizeBytes, metadata));
  if (sha256 !== metadata.sha256)
    throw new TryItNowError(
      'checkpoint_damaged',
      `The archive ${archive} was changed since it was made: its SHA-256 is ${sha256}, and its metadata says ` +
        `${metadata.sha256}; ${DAMAGED_REMEDY}`,
    );
  if (problem !== undefined)
    throw new TryItNowError(
      'checkpoint_damaged',
      `The archive ${archive} is no checkpoint to be unpacked: ${problem}; create the checkpoint again`,
    );
}

function describeSize(archive: string, sizeBytes: number | undefined, metadata: CheckpointMetadata): string {
  const found = sizeBytes === undefined ? 'is missing' : `has ${sizeBytes} bytes`;
  return `The archive ${archive} ${found}, and its metadata says ${metadata.sizeBytes} bytes; ${DAMAGED_REMEDY}`;
}

/** Without what is said of it on one node alone. */
function withoutMarks(metadata: CheckpointMetadata): CheckpointMetadata {
  const { format, id, sizeBytes, sha256, forImage } = metadata;
  const about = { format, id, ...aboutOf(metadata), sizeBytes, sha256 };
  return forImage === undefined ? about : { ...about, forImage };
}

function marked(metadata: CheckpointMetadata, marks: CheckpointMarks): CheckpointMetadata {
  const { keepUntil, unusedSince, settingsVersion, ...others } = { ...metadata, ...marks };
  return {
    ...others,
    ...(keepUntil === undefined ? {} : { keepUntil }),
    ...(unusedSince === undefined ? {} : { unusedSince }),
    ...(settingsVersion === undefined ? {} : { settingsVersion }),
  };
}

/** What the file system says, as an error for a person; one that is that already stays. */
function ioTrouble(error: unknown, what: string, folder: string): TryItNowError {
  if (error instanceof TryItNowError) return error;
  const trouble = hostTrouble(error);
  if (trouble === undefined)
    return new TryItNowError('checkpoint_failed', `${what}: ${describeError(error)}`, { cause: error });
  const remedy = hasCode(error, 'ENOSPC', 'EDQUOT')
    ? '; free some, such as by try-it-now checkpoint prune, or set CHECKPOINT_DIR to a larger one'
    : closedByUnit(error, folder);
  return new TryItNowError('host_failed', `${what}: ${trouble}${remedy}`, { cause: error });
}
