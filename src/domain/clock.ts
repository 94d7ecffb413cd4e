/**
 * Milliseconds since the Unix epoch. State transitions use the store's clock; this one is for
 * what never leaves the process.
 */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };
