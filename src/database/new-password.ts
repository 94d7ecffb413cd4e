import { randomBytes } from 'node:crypto';

/** 192 bits, in characters that need no quoting in an app's configuration. */
export function newPassword(): string {
  return randomBytes(24).toString('base64url');
}
