import { readFile, writeFile } from 'node:fs/promises';
import Value from 'typebox/value';
import { CHECKPOINT_FORMAT, CheckpointMetadata } from '../domain/checkpoint.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { hasCode, syncOne } from './unpack.ts';

/**
 * An operator's `checkpoint.tar` or `checkpoint.tar.gz` has its `checkpoint.json` beside it. Throws checkpoint_damaged
 * for another ending.
 */
export function metadataBeside(archive: string): string {
  const stem = /^(.*[^/])\.(?:tar|tar\.gz|tgz)$/.exec(archive)?.[1];
  if (stem === undefined)
    throw new TryItNowError(
      'checkpoint_damaged',
      `${archive} cannot be the archive of a checkpoint: its name must end in .tar or .tar.gz, with the ` +
        'metadata beside it under the same name ending in .json',
    );
  return `${stem}.json`;
}

/** Throws checkpoint_damaged when it is missing, no metadata, or of a format that this version does not know. */
export async function readMetadata(file: string): Promise<CheckpointMetadata> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) {
      throw new TryItNowError(
        'checkpoint_damaged',
        `The metadata file ${file} is missing; copy it from where the checkpoint was made, beside the archive`,
        { cause: error },
      );
    }
    throw new TryItNowError(
      'checkpoint_damaged',
      `The metadata file ${file} cannot be read (${describeError(error)}); copy it again from where the ` +
        'checkpoint was made',
      { cause: error },
    );
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (format !== CHECKPOINT_FORMAT) {
    throw new TryItNowError(
      'checkpoint_damaged',
      `The metadata file ${file} is of format ${format === undefined ? 'unknown' : JSON.stringify(format)}, and this ` +
        `version reads format ${CHECKPOINT_FORMAT}; create the checkpoint again with this version`,
    );
  }
  if (!Value.Check(CheckpointMetadata, value)) {
    const [first] = Value.Errors(CheckpointMetadata, value);
    throw new TryItNowError(
      'checkpoint_damaged',
      `The metadata file ${file} is not as it was written ` +
        `(${first === undefined ? 'damaged' : `${first.instancePath || 'the whole'} ${first.message}`}); copy it ` +
        'again from where the checkpoint was made',
    );
  }
  if (!value.sha256.startsWith(value.id))
    throw new TryItNowError(
      'checkpoint_damaged',
      `The metadata file ${file} contradicts itself: id ${value.id} is not the beginning of checksum ` +
        `${value.sha256}; copy it again from where the checkpoint was made`,
    );
  if (Number.isNaN(Date.parse(value.createdAt)))
    throw new TryItNowError(
      'checkpoint_damaged',
      `The metadata file ${file} says it was made at ${JSON.stringify(value.createdAt)}, which is no time; ` +
        'copy it again from where the checkpoint was made',
    );
  return value;
}

/** To be renamed to its place by the caller, so that it is there whole or not at all. */
export async function writeMetadata(draft: string, metadata: CheckpointMetadata): Promise<void> {
  await writeFile(draft, `${JSON.stringify(metadata, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
  await syncOne(draft);
}
