/** A breaker's pause lasts minutes, and its key an hour: what ends later was not written by us. */
export const LONGEST_PAUSE_MS = 3_600_000;

/** The whole number stored as this text; undefined without one, and for what somebody else may have written. */
export function storedNumber(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || text.trim() === '') return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
