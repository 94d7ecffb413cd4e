/** What the system says of a host that lacks something or fails, and how a person is told. */
const TROUBLES: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on its disk',
  EDQUOT: 'no space is left in its quota',
  EMFILE: 'this process has as many files open as it may',
  ENFILE: 'the host has as many files open as it may',
  ENOMEM: 'the host has no memory left',
  EIO: 'its disk fails',
  EROFS: 'its disk can only be read',
};

/** In words for a person; undefined where the error is about something else than the host. */
export function hostTrouble(error: unknown): string | undefined {
  for (let each = error; each instanceof Error; each = each.cause)
    if ('code' in each && typeof each.code === 'string' && Object.hasOwn(TROUBLES, each.code))
      return TROUBLES[each.code];
  return undefined;
}

/**
 * Of what the engine or CRIU wrote, who give no codes. Only what no checkpoint is to blame for: a memory limit of the
 * container's own, or a file system that it mounted, is worded as the host's is.
 */
export function isHostTrouble(written: string): boolean {
  return [
    /no space left on device|disk quota exceeded/i,
    /too many open files in system/i,
    /bind: address already in use/,
  ].some((what) => what.test(written));
}
