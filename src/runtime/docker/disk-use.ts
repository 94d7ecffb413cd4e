import { stat } from 'node:fs/promises';
import { revocableDeadline } from '../../lifecycle/deadline.ts';
import { eitherOf } from '../../lifecycle/either-of.ts';
import type { DiskSeen, DiskUse } from '../../pool/interfaces/consumption.ts';
import { frozen, processesOf } from './control-groups.ts';
import { deletedFileBytes } from './deleted-files.ts';
import { folderSizes } from './folder-sizes.ts';

/** Where what a container writes lies, and who writes it. */
export interface WrittenBy {
  readonly folders: readonly string[];
  readonly engineFiles: readonly string[];
  /** The file systems that it writes to, as its processes see them. */
  readonly devices: ReadonlySet<number>;
  /** Its control groups: where its processes are listed, and where they can be frozen. */
  readonly processes: string;
  readonly freezer: string;
}

/** A template with capabilities such as CHOWN can still write them. */
const ENGINE_FILES_MOST = 2 ** 20;
/** Apps remove files as well, but not at each moment. */
const LOOKS_WHILE_IT_RUNS = 2;
/** As many files as templates allow are found in less than a second unless the disk is slow. */
const FROZEN_MOST_MS = 3_000;

/**
 * Who moves files about without end can hide from every look what lies in them, with a few folders at each level for
 * most of the time. So after two looks that were disturbed the processes are stopped for one.
 */
export async function diskUseOf(place: WrittenBy, most: DiskUse, signal: AbortSignal): Promise<DiskSeen> {
  for (let look = 0; look < LOOKS_WHILE_IT_RUNS; look += 1) {
    const seen = await lookOnce(place, most, signal);
    if (!seen.partial) return seen;
  }
  // What that throws, on a slow disk say, is nobody's fault who writes.
  const deadline = revocableDeadline(FROZEN_MOST_MS);
  using patience = eitherOf(signal, deadline.signal);
  try {
    return await frozen(place.freezer, () => lookOnce(place, most, patience.signal));
  } finally {
    deadline.takeBack();
  }
}

async function lookOnce(place: WrittenBy, most: DiskUse, signal: AbortSignal): Promise<DiskSeen> {
  const own = await sizesOf(place.engineFiles);
  // They lie in memory, and have no more than some lines.
  if (own > ENGINE_FILES_MOST) return { bytes: most.bytes + own, files: 0, partial: false };
  const found = await folderSizes(place.folders, most, signal);
  const { bytes, files, partial } = found;
  if (bytes > most.bytes || files > most.files) return { bytes, files, partial: false };
  const deleted = await deletedFileBytes(await processesOf(place.processes), place.devices, signal);
  return { ...found, bytes: bytes + deleted, partial: partial && bytes + deleted <= most.bytes };
}

async function sizesOf(files: readonly string[]): Promise<number> {
  const found = await Promise.all(files.map((path) => stat(path).catch(() => undefined)));
  return found.reduce((all, each) => all + (each?.size ?? 0), 0);
}
