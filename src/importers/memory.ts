const MEBIBYTE = 2 ** 20;
/**
 * What one visitor's work may add to what an app takes when it has just come up. Chosen, not measured: eight pages of
 * a MediaWiki at once passed within what this gives it, and how much less would do was not tried.
 */
const HEADROOM = 2;
const STEP_MIB = 32;
const LEAST_MIB = 128;

/** A limit for an app that has just taken so much, as a template writes it. */
export function memoryLimitFor(usedBytes: number): string {
  const wanted = (usedBytes * HEADROOM) / MEBIBYTE;
  return `${Math.max(LEAST_MIB, Math.ceil(wanted / STEP_MIB) * STEP_MIB)}MiB`;
}
