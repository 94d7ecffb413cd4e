import { rm } from 'node:fs/promises';

/** 100 ms after one another, then 200, and so on. */
const RETRIES = 10;

/**
 * Removes a folder that an archive was unpacked into, if it is there. Unpacking may have failed while files from before
 * the damage were still on their way to the disk: one that comes while the folder is removed has it removed once more.
 */
export function removeUnpacked(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: RETRIES });
}
