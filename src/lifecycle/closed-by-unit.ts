import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * What a person is told besides, where a file or folder cannot be used because the unit of systemd closes it to the
 * server; the operator's own shell sees and writes it. Empty where it is something else.
 */
export function closedByUnit(error: unknown, path: string): string {
  const { there, isClosed } = nearest(path);
  if (isClosed)
    return `; ${there} is closed to this process, as units of systemd have it by ProtectHome=: put it elsewhere`;
  if (!isReadOnly(error, there)) return '';
  return (
    `; where systemd starts this, ${there === resolve(path) ? '' : 'make that folder, and '}add ` +
    `ReadWritePaths=${path} to its unit by a drop-in (\`systemctl edit try-it-now\`, on a further host ` +
    '`try-it-now-worker`)'
  );
}

/** What there is of a path. ProtectHome= puts a folder without any right over those that it closes. */
function nearest(path: string): { readonly there: string; readonly isClosed: boolean } {
  for (let there = resolve(path); there !== '/'; there = dirname(there))
    try {
      const found = statSync(there);
      return { there, isClosed: found.isDirectory() && (found.mode & 0o777) === 0 };
    } catch {
      // Not there, or behind one that is closed.
    }
  return { there: '/', isClosed: false };
}

function isReadOnly(error: unknown, there: string): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (hasCode(each, 'EROFS')) return true;
    // Node makes ENOENT of what the kernel says of a folder with those above it.
    if ('syscall' in each && each.syscall === 'mkdir') return cannotBeWritten(there);
  }
  return false;
}

function cannotBeWritten(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return hasCode(error, 'EROFS');
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
