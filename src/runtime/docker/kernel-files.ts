import { existsSync, readFileSync, readdirSync } from 'node:fs';

/**
 * What the kernel makes up at the moment of reading, such as a counter of a control group; '' where there is none. No
 * disk is waited for, and read aside, in a thread of its own, it costs five times as much (30 us against 140).
 */
export function readKernelFile(path: string): string {
  // Most that are not there belong to the other version of control groups: an error would cost as much again.
  if (!existsSync(path)) return '';
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has just gone.
    return '';
  }
}

/** Names in a folder of the kernel's; undefined where there is none. */
export function listKernelFolder(path: string): string[] | undefined {
  try {
    return readdirSync(path);
  } catch {
    return undefined;
  }
}

/** Of what /proc/PID/maps says of a mapping: its name in /proc/PID/map_files, where numbers have no leading zeros. */
export function mapFileName(range: string): string {
  return range.replace(/(^|-)0+(?=[0-9a-f])/g, '$1');
}
