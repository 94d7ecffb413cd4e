/**
 * What servers do that start as root: take their folders over and change to a user of their own. Where one says
 * nothing of it, because it logs to a file, they are tried together.
 */
export const AS_ROOT = { kind: 'capabilities', add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'] } as const;

/** Empty for what nobody has said otherwise of. */
export function isRoot(user: string): boolean {
  return /^(?:|root|0)(?::.*)?$/.test(user);
}
