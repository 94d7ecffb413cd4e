import { accessSync, constants, lstatSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describeError } from '../domain/errors.ts';

/** What keeps a new file from being written there, as far as that shows beforehand; undefined if nothing does. */
export function whyNotNew(file: string): string | undefined {
  return whyNotWritable(file) ?? (isThere(file) ? `${file} is there already; name a new file` : undefined);
}

/** As `whyNotNew`, where a file that is there is replaced. */
export function whyNotWritable(file: string): string | undefined {
  const folder = dirname(resolve(file));
  try {
    if (!statSync(folder).isDirectory()) return `${file} cannot be written: ${folder} is no folder`;
    accessSync(folder, constants.W_OK | constants.X_OK);
    if (isThere(file) && lstatSync(file).isDirectory()) return `${file} cannot be written: it is a folder`;
    return undefined;
  } catch (error) {
    return `${file} cannot be written: ${describeError(error)}`;
  }
}

/** A link that leads nowhere is there, too. */
function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}
