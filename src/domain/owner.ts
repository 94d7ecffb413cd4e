/** By our cookie, or by the token of a page that embeds. */
const OF_A_BROWSER = /^(?:visitor|embed):/;

/** Whether this owner is one browser; all others are known by their address alone. */
export function isBrowser(owner: string): boolean {
  return OF_A_BROWSER.test(owner);
}
