import { createHash } from 'node:crypto';

/** By our cookie, or by the token of a page that embeds. */
const OF_A_BROWSER = /^(?:visitor|embed):/;

/** Whether this owner is one browser; all others are known by their address alone. */
export function isBrowser(owner: string): boolean {
  return OF_A_BROWSER.test(owner);
}

/** A visitor's token opens what they hold; this does not. */
export function visitorDigest(owner: string): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 16);
}
